//! Manifests: all or nothing, and every problem by name.

use crate::support::Harness;
use serde_json::{Value, json};
use virga_serve::axum::http::Method;

#[tokio::test]
async fn a_manifest_that_cannot_be_changes_nothing() {
    let harness = Harness::start().await;
    let manifest = "applications:\n- name: good\n- name: bad\n  buildpack: cobol\n- name: worse\n  routes: [{route: x.example.com}]\n";
    harness.apply(manifest).await.refused(422, "For application 'bad': Buildpack must be an existing admin buildpack");
    harness
        .apply("applications:\n- name: worse\n  routes: [{route: x.example.com}]\n")
        .await
        .refused(422, "did not match any existing domains");
    harness.apply("applications:\n- name: a\n  services: [db]\n").await.refused(422, "Service instance 'db' not found");
    harness
        .apply("applications:\n- name: a\n  memory: lots\n  instances: many\n")
        .await
        .refused(422, "For application 'a': Instances is not a number");
    let token = harness.admin_token();
    let path = format!("/v3/spaces/{}/actions/apply_manifest", harness.space);
    harness.send(&token, Method::POST, &path, "application/x-yaml", "a: [").await.refused(400, "not valid YAML");
    harness.send(&token, Method::POST, &path, "application/json", "{}").await.refused(400, "Content-Type must be yaml");
    assert_eq!(harness.get("/v3/apps").await.body["pagination"]["total_results"], 0);
}

#[tokio::test]
async fn what_a_manifest_says_is_what_the_apps_manifest_shows() {
    let harness = Harness::start().await;
    let manifest = r#"
applications:
- name: dora
  buildpacks: [nodejs]
  memory: 1G
  instances: 2
  health-check-type: http
  health-check-http-endpoint: /up
  env: {A: "1"}
  metadata: {labels: {tier: web}}
  routes: [{route: dora.apps.virga.localhost}, {route: dora.apps.virga.localhost/v1, protocol: http2}]
  processes: [{type: worker, instances: 1, memory: 64M, command: work}]
"#;
    assert_eq!(harness.job(harness.apply(manifest).await).await["state"], "COMPLETE");
    let app = harness.get("/v3/apps?label_selector=tier%3Dweb").await.is(200).text("/resources/0/guid");
    let shown = harness.get(&format!("/v3/apps/{app}/manifest")).await.is(200).bytes;
    let shown: Value = serde_yaml_ng::from_slice(&shown).unwrap();
    let shown = &shown["applications"][0];
    assert_eq!(shown["buildpacks"], json!(["nodejs"]));
    assert_eq!(shown["routes"][1], json!({ "route": "dora.apps.virga.localhost/v1", "protocol": "http2" }));
    assert_eq!(shown["processes"][0]["memory"], "1024M");
    assert_eq!((&shown["processes"][1]["type"], &shown["processes"][1]["command"]), (&json!("worker"), &json!("work")));
    let diff = format!("/v3/spaces/{}/manifest_diff", harness.space);
    let diff = harness.send(&harness.admin_token(), Method::POST, &diff, "application/x-yaml", manifest).await.is(201);
    assert_eq!(diff.body["diff"], json!([]), "applying it again changes nothing");
    // Routes that are not listed stay; no-route takes them all away.
    harness.job(harness.apply("applications:\n- name: dora\n  default-route: true\n").await).await;
    assert_eq!(harness.get(&format!("/v3/apps/{app}/routes")).await.body["pagination"]["total_results"], 2);
    harness.job(harness.apply("applications:\n- name: dora\n  no-route: true\n").await).await;
    assert_eq!(harness.get(&format!("/v3/apps/{app}/routes")).await.body["pagination"]["total_results"], 0);
    harness.job(harness.apply("applications:\n- name: dora\n  random-route: true\n").await).await;
    assert!(harness.get(&format!("/v3/apps/{app}/routes")).await.text("/resources/0/host").starts_with("dora-"));
}
