//! `cf push`, request by request, and what it leaves.

use crate::support::{Harness, files, until, zip};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use std::sync::atomic::Ordering;
use virga_serve::axum::http::Method;

const MANIFEST: &str = "applications:\n- name: dora\n  default-route: true\n  memory: 64M\n  env: {GREETING: hi}\n";

fn resource(path: &str, content: &[u8]) -> Value {
    let sha1: String = Sha1::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "path": path, "mode": "644", "checksum": { "value": sha1 }, "size_in_bytes": content.len() })
}

#[tokio::test]
async fn a_push_with_a_manifest_ends_in_a_running_app() {
    let harness = Harness::start().await;
    let token = harness.admin_token();
    let diff = format!("/v3/spaces/{}/manifest_diff", harness.space);
    let diff = harness.send(&token, Method::POST, &diff, "application/x-yaml", MANIFEST).await.is(201);
    assert_eq!(diff.body["diff"][0]["op"], "add");

    let job = harness.job(harness.apply(MANIFEST).await).await;
    assert_eq!((&job["state"], &job["operation"]), (&json!("COMPLETE"), &json!("space.apply_manifest")));
    let list = harness.get(&format!("/v3/apps?names=dora,other&space_guids={}", harness.space)).await.is(200);
    let app = list.text("/resources/0/guid");
    assert_eq!(list.text("/resources/0/state"), "STOPPED");
    assert_eq!(harness.get(&format!("/v3/processes/{app}")).await.is(200).body["memory_in_mb"], 64, "web shares the app's guid");

    let source = vec![b's'; 5_000];
    let matches = json!({ "resources": [resource("main.js", &source)] });
    assert_eq!(harness.post("/v3/resource_matches", matches.clone()).await.is(201).body, json!({ "resources": [] }));
    let package = harness.package(&app).await;
    let uploaded = harness.upload(&package, &json!([]), Some(&zip(&[("main.js", &source), ("tiny", b"x")]))).await.is(200);
    assert_eq!(uploaded.text("/state"), "READY");
    assert_eq!(harness.get(&format!("/v3/packages/{package}")).await.is(200).text("/state"), "READY");

    let build = harness.post("/v3/builds", json!({ "package": { "guid": package } })).await.is(201);
    assert_eq!(build.text("/state"), "STAGING");
    assert!(harness.logs.lines(&app).iter().any(|line| line.starts_with("STG Staging build")), "the tail starts at the first line");
    let build = harness.until(&format!("/v3/builds/{}", build.guid()), |build| build["state"] != "STAGING").await;
    assert_eq!(build["state"], "STAGED", "{build}");
    assert_eq!(build["virga"]["steps"][1], json!({ "name": "build", "duration_ms": 2 }));
    let request = harness.stager.requests.lock().unwrap().remove(0);
    assert_eq!((request.environment["GREETING"].as_str(), request.environment["CF_STACK"].as_str()), ("hi", "cflinuxfs4"));
    let droplet = build["droplet"]["guid"].as_str().unwrap();
    assert_eq!(harness.get(&format!("/v3/droplets/{droplet}")).await.is(200).text("/state"), "STAGED");

    let start = format!("/v3/apps/{app}/actions/start");
    harness.post(&start, Value::Null).await.refused(422, "Assign a droplet before starting this app.");
    let current = format!("/v3/apps/{app}/relationships/current_droplet");
    let assigned = harness.patch(&current, json!({ "data": { "guid": droplet } })).await.is(200);
    assert_eq!(assigned.text("/data/guid"), droplet);
    let before = harness.scheduler.nudges.load(Ordering::SeqCst);
    assert_eq!(harness.post(&format!("/v3/apps/{app}/actions/restart"), Value::Null).await.is(200).text("/state"), "STARTED");
    assert!(harness.scheduler.nudges.load(Ordering::SeqCst) > before, "the scheduler is told to look");

    let processes = harness.get(&format!("/v3/apps/{app}/processes")).await.is(200);
    let types: Vec<_> =
        processes.body["resources"].as_array().unwrap().iter().map(|one| (one["type"].clone(), one["instances"].clone())).collect();
    assert_eq!(types, [(json!("web"), json!(1)), (json!("worker"), json!(0))]);
    assert_eq!(processes.text("/resources/0/command"), "[PRIVATE DATA HIDDEN IN LISTS]");
    assert_eq!(harness.get(&format!("/v3/processes/{app}")).await.is(200).text("/command"), "serve app.wasm");
    let stats = harness.get(&format!("/v3/processes/{app}/stats")).await.is(200);
    assert_eq!((stats.text("/resources/0/state"), &stats.body["resources"][0]["uptime"]), ("RUNNING".into(), &json!(100)));
    assert_eq!(stats.body["resources"][0]["usage"]["cpu"], 0.1);
    assert_eq!(stats.body["resources"][0]["mem_quota"], 64 << 20);

    for path in ["sidecars", "stats", "process_instances"] {
        harness.get(&format!("/v3/processes/{app}/{path}")).await.is(200);
    }
    let routes = harness.get(&format!("/v3/apps/{app}/routes")).await.is(200);
    assert_eq!(routes.text("/resources/0/url"), "dora.apps.virga.localhost");
    assert_eq!(harness.get(&format!("/v3/apps/{app}/droplets/current")).await.is(200).guid(), droplet);
    let active = format!("/v3/deployments?app_guids={app}&order_by=-created_at&page=1&per_page=1&status_values=ACTIVE");
    assert_eq!(harness.get(&active).await.is(200).body["pagination"]["total_results"], 0);
    assert!(harness.logs.lines(&app).contains(&format!("API Created app with guid {app}")));

    // The second push need not send what the first one did.
    let matched = harness.until_matched(&matches).await;
    let second = harness.package(&app).await;
    harness.upload(&second, &matched["resources"], None).await.is(200);
    let bits = harness.get(&format!("/v3/packages/{second}/download")).await.is(200).bytes;
    let mut archive = ::zip::ZipArchive::new(std::io::Cursor::new(bits)).unwrap();
    assert_eq!(archive.by_name("main.js").unwrap().size(), 5_000);
}

impl Harness {
    async fn until_matched(&self, matches: &Value) -> Value {
        for _ in 0..1_000 {
            let answer = self.post("/v3/resource_matches", matches.clone()).await.is(201).body;
            if answer["resources"] == matches["resources"] {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the resource cache stays empty");
    }
}

#[tokio::test]
async fn a_failed_staging_says_why_and_the_next_one_may_begin() {
    let harness = Harness::start().await;
    let app = harness.app("broken").await;
    let package = harness.package(&app).await;
    harness
        .post("/v3/builds", json!({ "package": { "guid": package } }))
        .await
        .refused(400, "Bad request: Cannot stage package whose state is not ready.");
    harness.upload(&package, &json!([]), Some(&zip(&[("FAIL", b"")]))).await.is(200);
    let build = harness.build(&package).await;
    assert_eq!(build["error"], "NoAppDetectedError - nothing here is an app");
    assert!(harness.logs.lines(&app).iter().any(|line| line.starts_with("STG NoAppDetectedError")));
    assert_eq!(harness.build(&package).await["state"], "FAILED");
    harness
        .post("/v3/builds", json!({ "package": { "guid": package }, "lifecycle": { "data": { "buildpacks": ["cobol"] } } }))
        .await
        .refused(422, "Buildpack must be an existing admin buildpack");
}

#[tokio::test]
async fn one_build_at_a_time_per_app() {
    let harness = Harness::idle().await;
    let app = harness.app("busy").await;
    let package = harness.package(&app).await;
    harness.upload(&package, &json!([]), Some(&zip(&[("a", b"")]))).await.is(200);
    let body = json!({ "package": { "guid": package } });
    harness.post("/v3/builds", body.clone()).await.is(201);
    let second = harness.post("/v3/builds", body).await.is(422);
    assert_eq!(second.body["errors"][0]["code"], 170017);
}

#[tokio::test]
async fn deleting_an_app_leaves_nothing() {
    let harness = Harness::start().await;
    assert_eq!(harness.job(harness.apply(MANIFEST).await).await["state"], "COMPLETE");
    let app = harness.get("/v3/apps?names=dora").await.text("/resources/0/guid");
    harness.staged(&app, &[("a", b"content that only this app has")]).await;
    harness.post(&format!("/v3/apps/{app}/actions/start"), Value::Null).await.is(200);
    // A twin shares the package's bytes; they must survive.
    let twin = harness.app("twin").await;
    let shared = harness.package(&twin).await;
    harness.upload(&shared, &json!([]), Some(&zip(&[("a", b"content that only this app has")]))).await.is(200);
    assert_eq!(files(&harness.blobs.path().join("droplets")), 1);

    assert_eq!(harness.job(harness.delete(&format!("/v3/apps/{app}")).await).await["state"], "COMPLETE");
    harness.get(&format!("/v3/apps/{app}")).await.refused(404, "App not found");
    for list in ["processes", "droplets", "builds", "deployments"] {
        let rest = harness.get(&format!("/v3/{list}?app_guids={app}")).await.is(200);
        assert_eq!(rest.body["pagination"]["total_results"], 0, "{list}");
    }
    let route = harness.get("/v3/routes?hosts=dora").await.is(200);
    assert_eq!(route.body["resources"][0]["destinations"], json!([]), "the route stays, unmapped");
    let folder = harness.blobs.path().join("droplets");
    // Nobody names the droplet any more.
    until(|| files(&folder) == 0).await;
    harness.get(&format!("/v3/packages/{shared}/download")).await.is(200);
    assert_eq!(harness.job(harness.delete(&format!("/v3/packages/{shared}")).await).await["state"], "COMPLETE");
}

#[tokio::test]
async fn compiled_code_goes_with_the_last_droplet_that_has_its_program() {
    let harness = Harness::start().await;
    let (one, two) = (harness.app("one").await, harness.app("two").await);
    for (app, content) in [(&one, b"1"), (&two, b"2")] {
        harness.staged(app, &[("a", content)]).await;
    }
    let (droplets, code) = (harness.blobs.path().join("droplets"), harness.blobs.path().join("code"));
    assert_eq!((files(&droplets), files(&code)), (2, 1));
    assert_eq!(harness.job(harness.delete(&format!("/v3/apps/{one}")).await).await["state"], "COMPLETE");
    until(|| files(&droplets) == 1).await;
    // Code is looked at before the droplet it belongs to.
    assert_eq!(files(&code), 1, "another droplet has the program");
    assert_eq!(harness.job(harness.delete(&format!("/v3/apps/{two}")).await).await["state"], "COMPLETE");
    until(|| files(&droplets) == 0).await;
    assert_eq!(files(&code), 0);
}

#[tokio::test]
async fn a_droplet_can_be_brought_along() {
    let harness = Harness::start().await;
    let app = harness.app("brought").await;
    let relationships = json!({ "relationships": { "app": { "data": { "guid": app } } } });
    let create = async || harness.post("/v3/droplets", relationships.clone()).await.is(201).guid();
    let good = create().await;
    let upload = |guid: &str| format!("/v3/droplets/{guid}/upload");
    let answer = harness.multipart(&upload(&good), &[("bits", Some("d.tgz"), b"droplet of mine".to_vec())]).await;
    assert_eq!(answer.text("/state"), "PROCESSING_UPLOAD");
    assert_eq!(harness.job(answer).await["state"], "COMPLETE");
    let shown = harness.get(&format!("/v3/droplets/{good}")).await.is(200);
    assert_eq!((shown.text("/state"), shown.text("/process_types/web")), ("STAGED".into(), "serve app.wasm".into()));
    assert_eq!(harness.get(&format!("/v3/droplets/{good}/download")).await.is(200).bytes.as_ref(), b"droplet of mine");

    let bad = create().await;
    let job = harness.job(harness.multipart(&upload(&bad), &[("bits", Some("d.tgz"), b"something else".to_vec())]).await).await;
    assert_eq!(job["state"], "FAILED");
    assert!(job["errors"][0]["detail"].as_str().unwrap().contains("this is no droplet"));
    assert_eq!(harness.get(&format!("/v3/droplets/{bad}")).await.text("/state"), "FAILED");
    let current = json!({ "data": { "guid": bad } });
    harness.patch(&format!("/v3/apps/{app}/relationships/current_droplet"), current).await.refused(422, "Unable to assign current droplet");
}

#[tokio::test]
async fn scaling_and_settings_keep_their_rules() {
    let harness = Harness::start().await;
    let app = harness.app("scaled").await;
    let scale = format!("/v3/apps/{app}/processes/web/actions/scale");
    let scaled = harness.post(&scale, json!({ "instances": 3, "memory_in_mb": 128, "disk_in_mb": null })).await.is(202);
    assert_eq!((&scaled.body["instances"], &scaled.body["memory_in_mb"]), (&json!(3), &json!(128)));
    for bad in [json!({ "instances": -1 }), json!({ "memory_in_mb": 0 }), json!({ "disk_in_mb": 1_u64 << 40 })] {
        assert_eq!(harness.post(&scale, bad).await.status, 422);
    }
    harness.post(&scale, json!({ "instance": 1 })).await.refused(422, "Unknown field(s): 'instance'");
    let check = json!({ "health_check": { "type": "http", "data": { "endpoint": "/up" } } });
    assert_eq!(harness.patch(&format!("/v3/processes/{app}"), check).await.is(200).text("/health_check/data/endpoint"), "/up");
    let var = |value: Value| json!({ "var": { "A": value, "B": "2" } });
    let path = format!("/v3/apps/{app}/environment_variables");
    assert_eq!(harness.patch(&path, var(json!("1"))).await.is(200).body["var"], json!({ "A": "1", "B": "2" }));
    assert_eq!(harness.patch(&path, var(Value::Null)).await.is(200).body["var"], json!({ "B": "2" }));
    harness.patch(&path, json!({ "var": { "VCAP_SERVICES": "{}" } })).await.refused(422, "VCAP_SERVICES");
    let env = harness.get(&format!("/v3/apps/{app}/env")).await.is(200);
    assert_eq!(env.text("/application_env_json/VCAP_APPLICATION/cf_api"), "http://api.virga.localhost:8080");
    let feature = |name: &str| format!("/v3/apps/{app}/features/{name}");
    harness.patch(&feature("ssh"), json!({ "enabled": true })).await.refused(422, "not available on this platform");
    harness.patch(&feature("file-based-vcap-services"), json!({ "enabled": true })).await.is(200);
    let env = harness.get(&format!("/v3/apps/{app}/env")).await.is(200);
    assert_eq!(env.body["system_env_json"], json!({ "VCAP_SERVICES_FILE_PATH": "/etc/cf-service-bindings/vcap_services" }));
    harness.patch(&feature("service-binding-k8s"), json!({ "enabled": true })).await.refused(422, "cannot be enabled at the same time");
    harness.patch(&feature("file-based-vcap-services"), json!({ "enabled": false })).await.is(200);
    assert_eq!(harness.get(&format!("/v3/apps/{app}/env")).await.is(200).body["system_env_json"], json!({ "VCAP_SERVICES": {} }));
    assert_eq!(harness.get(&format!("/v3/apps/{app}/ssh_enabled")).await.is(200).text("/reason"), "ssh is disabled globally");
    harness
        .send(&harness.admin_token(), Method::DELETE, &format!("/v3/apps/{app}/processes/web/instances/9"), "", "")
        .await
        .refused(404, "Instance not found");
    harness.send(&harness.admin_token(), Method::DELETE, &format!("/v3/apps/{app}/processes/web/instances/0"), "", "").await.is(204);
    let name = json!({ "name": "scaled", "relationships": { "space": { "data": { "guid": harness.space } } } });
    harness.post("/v3/apps", name).await.refused(422, "App with the name 'scaled' already exists.");
}

#[tokio::test]
async fn each_role_may_what_it_may() {
    let harness = Harness::start().await;
    let app = harness.app("guarded").await;
    let stranger = harness.user(None).await;
    let auditor = harness.user(Some("space_auditor")).await;
    let developer = harness.user(Some("space_developer")).await;
    let call = async |token: &str, method: Method, path: &str, body: &str| {
        harness.send(token, method, &format!("/v3/apps/{app}{path}"), "application/json", body.to_owned()).await.status
    };
    let stop = async |token: &str| call(token, Method::POST, "/actions/stop", "").await;
    assert_eq!((stop(&stranger).await, stop(&auditor).await, stop(&developer).await), (404, 403, 200));
    let env = async |token: &str| call(token, Method::GET, "/env", "").await;
    assert_eq!((env(&stranger).await, env(&auditor).await, env(&developer).await), (404, 403, 200));
    assert_eq!((call(&auditor, Method::GET, "", "").await, call(&stranger, Method::GET, "", "").await), (200, 404));
    let listed = harness.send(&stranger, Method::GET, "/v3/apps", "", "").await.is(200);
    assert_eq!(listed.body["pagination"]["total_results"], 0);
    let process = harness.send(&auditor, Method::GET, &format!("/v3/processes/{app}"), "", "").await.is(200);
    assert_eq!(process.text("/command"), "[PRIVATE DATA HIDDEN]");
    assert_eq!((call(&auditor, Method::DELETE, "", "").await, call(&developer, Method::DELETE, "", "").await), (403, 202));
}
