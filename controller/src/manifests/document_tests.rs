use super::*;

fn parse(text: &str) -> Result<Vec<AppManifest>, ApiError> {
    validate(&read(text.as_bytes())?)
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().problems.into_iter().map(|(_, detail)| detail).collect()
}

#[test]
fn what_the_cli_sends_for_a_plain_push_is_understood() {
    let apps = parse("applications:\n- name: dora\n  default-route: true\n  path: /home/me/dora\n").unwrap();
    assert_eq!(apps.len(), 1);
    assert!(apps[0].default_route && apps[0].processes.is_empty() && apps[0].buildpacks.is_none());
}

#[test]
fn every_key_of_an_app_arrives() {
    let text = r#"
version: 1
applications:
- name: dora
  buildpacks: [nodejs]
  stack: cflinuxfs4
  memory: 64M
  disk_quota: 1G
  instances: 2
  log-rate-limit-per-second: 16K
  health-check-type: http
  health-check-http-endpoint: /up
  timeout: 90
  command: default
  env: {A: text, B: 1, C: true, D: null, E: {x: [1]}}
  features: {ssh: false}
  metadata: {labels: {tier: "1"}, annotations: {note: hi, gone: null}}
  routes:
  - route: https://Dora.Example.com/v1/
    protocol: http2
  services: [db, {name: cache, binding_name: c}]
  processes:
  - type: web
    instances: 3
  - type: worker
    memory: 128MB
    health-check-type: none
"#;
    let app = parse(text).unwrap().remove(0);
    let web = &app.processes[0];
    assert_eq!((web.process_type.as_str(), web.instances, web.memory_in_mb, web.disk_in_mb), ("web", Some(3), Some(64), Some(1024)));
    assert_eq!((web.log_rate_limit_in_bytes_per_second, &web.command), (Some(16384), &Some(None)));
    assert_eq!((web.health_check.kind, web.health_check.timeout_seconds), (Some(HealthCheckType::Http), Some(90)));
    assert_eq!(app.processes[1].health_check.kind, Some(HealthCheckType::Process));
    assert_eq!(app.env["B"].as_deref(), Some("1"));
    assert_eq!(app.env["D"], None);
    assert_eq!(app.env["E"].as_deref(), Some(r#"{"x":[1]}"#));
    assert_eq!(app.routes[0].route, "dora.example.com/v1");
    assert_eq!(app.routes[0].protocol, Some(RouteProtocol::Http2));
    assert_eq!(app.services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["db", "cache"]);
    assert_eq!(app.annotations["gone"], None);
}

#[test]
fn each_problem_of_each_app_is_named() {
    let text = "applications:\n- name: a\n  memory: 64\n  instances: -1\n  env: {PORT: 1}\n- disk_quota: big\n- name: a\n";
    assert_eq!(
        problems(text),
        [
            "For application 'a': Env cannot set PORT",
            "For application 'a': Instances must be greater than or equal to 0",
            "For application 'a': Memory must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB",
            "For application at index 1: Disk quota must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB",
            "For application at index 1: Name must not be empty",
            "For application 'a': Name must be unique in the manifest",
        ]
    );
}

#[test]
fn buildpack_default_and_null_ask_for_detection() {
    for word in ["default", "null", "~"] {
        let apps = parse(&format!("applications:\n- name: a\n  buildpack: {word}\n")).unwrap();
        assert_eq!(apps[0].buildpacks, Some(Vec::new()), "{word}");
    }
}

#[test]
fn what_this_platform_has_not_is_refused_by_name() {
    let text = "applications:\n- name: a\n  docker: {image: x}\n  sidecars: [{name: s}]\n  lifecycle: cnb\n";
    let problems = problems(text);
    assert!(problems.iter().any(|text| text.contains("Docker")), "{problems:?}");
    assert!(problems.iter().any(|text| text.contains("Sidecars")));
    assert!(problems.iter().any(|text| text.contains("'cnb'")));
}

#[test]
fn hostile_documents_are_refused_quickly() {
    assert!(read(b"applications: [").is_err());
    assert!(read(b"[1,2]").is_err());
    assert!(read(b"applications: []").is_err());
    assert!(read(b"applications: [1]").is_err());
    assert!(read(&vec![b' '; MAX_MANIFEST_BYTES + 1]).is_err());
    assert!(read(&[0xff, 0xfe, 0x00]).is_err());
    let deep = format!("applications: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(read(deep.as_bytes()).is_err());
    // Nine levels of nine aliases each: a billion nodes if they were expanded.
    let mut laughs = String::from("a0: &a0 [lol]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(",");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    laughs.push_str("applications: [*a9]\n");
    assert!(read(laughs.as_bytes()).is_err());
}
