//! Buildpacks as rows: order, names, uploads; stacks.

use crate::testing::{Answer, Api, User, on_both};
use http::Method;
use serde_json::{Value, json};
use std::io::{Cursor, Write as _};
use virga_model::state::RoleType;
use zip::{ZipWriter, write::SimpleFileOptions};

fn names(list: &Value) -> Vec<String> {
    list["resources"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn upload(user: &User<'_>, path: &str, files: &[(&str, &str)]) -> Answer {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let bits = zip.finish().unwrap().into_inner();
    let mut body =
        b"--B\r\nContent-Disposition: form-data; name=\"bits\"; filename=\"corp.zip\"\r\nContent-Type: application/zip\r\n\r\n".to_vec();
    body.extend(bits);
    body.extend(b"\r\n--B--\r\n");
    user.send(Method::POST, &format!("{path}/upload"), "multipart/form-data; boundary=B", body).await
}

#[tokio::test]
async fn buildpacks_are_ordered_named_and_uploaded() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let built_in = names(&developer.get("/v3/buildpacks").await.ok());
        assert!(!built_in.is_empty());
        developer.post("/v3/buildpacks", json!({ "name": "x" })).await.error(403);
        let made = admin.post("/v3/buildpacks", json!({ "name": "corp-site" })).await.created();
        assert_eq!((&made["position"], &made["state"], &made["stack"]), (&json!(1), &json!("AWAITING_UPLOAD"), &Value::Null));
        let path = format!("/v3/buildpacks/{}", made["guid"].as_str().unwrap());
        let order = names(&developer.get("/v3/buildpacks").await.ok());
        assert_eq!(order, [vec!["corp-site".to_owned()], built_in.clone()].concat());
        let last = admin.patch(&path, json!({ "position": 99, "name": "corp" })).await.ok();
        assert_eq!(last["position"], json!(built_in.len() + 1));
        let order = developer.get("/v3/buildpacks").await.ok();
        assert_eq!(names(&order), [built_in.clone(), vec!["corp".to_owned()]].concat());
        let positions: Vec<_> = order["resources"].as_array().unwrap().iter().map(|one| one["position"].clone()).collect();
        assert_eq!(positions, (1..=built_in.len() + 1).map(|number| json!(number)).collect::<Vec<_>>());

        for (body, problem) in [
            (json!({ "name": "a b" }), "Name is invalid: it may hold letters, digits, '-' and '_'"),
            (json!({ "name": "a", "stack": "windows" }), "Stack 'windows' does not exist"),
            (json!({ "name": "a", "position": 0 }), "Position must be greater than or equal to 1"),
            (json!({ "name": "a", "lifecycle": "docker" }), "Lifecycle must be either \"buildpack\" or \"cnb\""),
            (json!({ "name": "corp" }), "Buildpack with name 'corp' and an unassigned stack already exists"),
        ] {
            assert_eq!(admin.post("/v3/buildpacks", body).await.error(422).1, problem);
        }

        let native = upload(&admin, &path, &[("bin/build", "#!/bin/sh")]).await.error(422).1;
        assert!(native.starts_with("Uploaded buildpack file is invalid: its bin/build makes it a Cloud Native Buildpack"), "{native}");
        assert_eq!(admin.get(&path).await.ok()["state"], "AWAITING_UPLOAD");
        let definition = format!("builder: {}\nversion: 7.0.0\ndetect: [corp.toml]\n", built_in[0]);
        let job = upload(&admin, &path, &[("virga-buildpack.yml", &definition)]).await.job();
        assert_eq!(admin.get(&job).await.ok()["operation"], "buildpack.upload");
        let ready = admin.get(&path).await.ok();
        assert_eq!((&ready["state"], &ready["filename"]), (&json!("READY"), &json!("corp.zip")));
        admin.patch(&path, json!({ "locked": true })).await.ok();
        let locked = upload(&admin, &path, &[("virga-buildpack.yml", &definition)]).await.error(422).1;
        assert_eq!(locked, "Buildpack is locked");

        let app = |name: &str, buildpack: &str| {
            json!({ "name": name, "relationships": { "space": { "data": { "guid": space } } },
                "lifecycle": { "type": "buildpack", "data": { "buildpacks": [buildpack] } } })
        };
        developer.post("/v3/apps", app("a", "corp")).await.created();
        let alias = developer.post("/v3/apps", app("b", &format!("{}_buildpack", built_in[0]))).await.created();
        assert_eq!(alias["lifecycle"]["data"]["buildpacks"], json!([built_in[0]]));
        let unknown = developer.post("/v3/apps", app("c", "cobol")).await.error(422).1;
        assert!(unknown.contains("Buildpack must be an existing admin buildpack or a valid git URI"), "{unknown}");

        // What is deleted stays so, also over a start; what is left is numbered anew.
        let first = order["resources"][0]["guid"].as_str().unwrap();
        admin.delete(&format!("/v3/buildpacks/{first}")).await.job();
        let wanted =
            crate::Bootstrap { organization: "virga".into(), space: "dev".into(), admin: admin.guid.unwrap(), admin_name: "admin".into() };
        crate::bootstrap(&api.controller, &wanted).await.unwrap();
        let left = admin.get("/v3/buildpacks").await.ok();
        assert_eq!(names(&left), [built_in[1..].to_vec(), vec!["corp".to_owned()]].concat());
        assert_eq!(left["resources"][0]["position"], 1);
        let gone = developer.post("/v3/apps", app("d", &built_in[0])).await.error(422).1;
        assert!(gone.contains(&format!("'{}' is neither", built_in[0])), "{gone}");
    })
    .await;
}

#[tokio::test]
async fn a_stack_can_be_closed_but_not_removed() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let admin = api.admin().await;
        let (_, space) = api.org_and_space("o").await;
        let stack = admin.get("/v3/stacks?names=cflinuxfs4").await.ok()["resources"][0].clone();
        let path = format!("/v3/stacks/{}", stack["guid"].as_str().unwrap());
        assert_eq!(
            admin.patch(&path, json!({ "state": "GONE" })).await.error(422).1,
            "State must be one of ACTIVE, RESTRICTED, DEPRECATED, DISABLED"
        );
        let closed = admin.patch(&path, json!({ "state": "RESTRICTED", "state_reason": "Ask the operators." })).await.ok();
        assert_eq!((&closed["state"], &closed["default"]), (&json!("RESTRICTED"), &json!(true)));
        let app = json!({ "name": "a", "relationships": { "space": { "data": { "guid": space } } } });
        let refused = admin.post("/v3/apps", app.clone()).await.error(422).1;
        assert_eq!(
            refused,
            "ERROR: Staging failed. The stack 'cflinuxfs4' is 'RESTRICTED' and cannot be used for staging. Ask the operators."
        );
        let deprecated = admin.patch(&path, json!({ "state": "DEPRECATED" })).await;
        let said = |answer: &Answer| answer.headers["x-cf-warnings"].to_str().unwrap().to_owned();
        assert!(said(&deprecated).starts_with("Changing+state+on+the+default+stack+%27cflinuxfs4%27"));
        let old = json!({ "name": "old", "relationships": { "space": { "data": { "guid": space } } } });
        let warned = admin.post("/v3/apps", old).await;
        assert!(said(&warned).starts_with("WARNING%3A+The+stack+%27cflinuxfs4%27+is+%27DEPRECATED%27"));
        let old = warned.created();
        admin.delete(&format!("/v3/apps/{}", old["guid"].as_str().unwrap())).await.job();
        api.settle().await;
        admin.patch(&path, json!({ "state": "ACTIVE", "state_reason": null, "metadata": { "labels": { "os": "wasi" } } })).await.ok();
        let made = admin.post("/v3/apps", app).await.created();
        let apps = admin.get(&format!("{path}/apps")).await.ok();
        assert_eq!(
            (
                apps["resources"][0]["guid"].clone(),
                admin.get("/v3/stacks?label_selector=os").await.ok()["pagination"]["total_results"].clone()
            ),
            (made["guid"].clone(), json!(1))
        );
        assert!(admin.delete(&path).await.error(422).1.starts_with("Cannot delete stack 'cflinuxfs4'"));
        assert!(admin.post("/v3/stacks", json!({ "name": "x" })).await.error(422).1.starts_with("Stacks cannot be created"));
    })
    .await;
}
