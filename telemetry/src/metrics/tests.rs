use super::{BuildInfo, Registry};
use std::collections::BTreeMap;
use virga_contract::cell::{CellReport, RouterCounters};

fn report(worker: u32, pid: u32, ok: u64) -> CellReport {
    let router = RouterCounters {
        responses_by_class: [0, ok, 0, 1, 0],
        router_errors: BTreeMap::from([("unknown_route".to_owned(), 1)]),
        in_flight: 2,
        latency_buckets: vec![ok, ok, ok, ok, ok, ok, ok, ok, ok, ok, ok, ok + 1],
        latency_sum_seconds: 0.5,
        dropped_envelopes: 3,
        tcp_ports: 4,
        tcp_ports_failed: u64::from(worker),
        tunnels: 5,
    };
    CellReport { worker, pid, applied_revision: 1, instances: vec![], tasks: vec![], router }
}

#[test]
fn sums_over_workers_never_fall_when_one_starts_anew() {
    let registry = Registry::new(BuildInfo { version: "0.1.0", revision: "abc" }, None);
    registry.observe(&report(0, 100, 10));
    registry.observe(&report(1, 101, 20));
    registry.observe(&report(1, 101, 25));
    registry.observe(&report(1, 102, 1));
    registry.set([("virga_desired_instances", "Instances that should run", 7.0)]);
    let page = registry.render().unwrap();
    for line in [
        r#"virga_build_info{version="0.1.0",revision="abc"} 1"#,
        r#"virga_router_responses_total{class="2xx"} 36"#,
        r#"virga_router_errors_total{error="unknown_route"} 3"#,
        r#"virga_router_request_seconds_bucket{le="0.0005"} 36"#,
        r#"virga_router_request_seconds_bucket{le="+Inf"} 39"#,
        "virga_router_request_seconds_count 39",
        "virga_router_requests_in_flight 4.0",
        "virga_dropped_envelopes_total 9",
        "virga_router_tunnels 10.0",
        "virga_router_tcp_ports 4.0",
        "virga_router_tcp_ports_failed 1.0",
        "virga_desired_instances 7.0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}
