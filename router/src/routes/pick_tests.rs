use super::*;
use crate::routes::table::tests::table;
use http::{HeaderValue, Request, Response};
use std::collections::HashMap;
use virga_contract::{
    Body,
    cell::{CellError, Connection},
};

/// A cell on which every instance but the second has a request in flight.
pub(crate) struct Busy;

#[async_trait::async_trait]
impl Cell for Busy {
    async fn serve(&self, _: Endpoint, _: Request<Body>) -> Result<Response<Body>, CellError> {
        Err(CellError::Gone)
    }

    async fn connect(&self, _: Endpoint) -> Result<Connection, CellError> {
        Err(CellError::NoConnections)
    }

    fn in_flight(&self, instance: InstanceGuid) -> u32 {
        u32::from(instance.as_u128() % 100 != 1)
    }
}

/// How often each instance is picked in `rounds`.
fn shares(processes: &[(u128, &[bool])], destinations: &[(u128, Option<u8>)], rounds: usize, balancing: Balancing) -> HashMap<u128, usize> {
    let table = table(processes, &[("a.b", "", destinations)]);
    let route = table.find("a.b", "/").unwrap();
    let mut shares = HashMap::new();
    for _ in 0..rounds {
        let pick = route.pick(Wanted::Any, None, balancing.into(), &Busy, &[]).unwrap();
        *shares.entry(pick.instance().unwrap().endpoint.instance.as_u128()).or_default() += 1;
    }
    shares
}

#[test]
fn instances_take_turns_over_all_destinations() {
    let shares = shares(&[(1, &[true, false, true]), (2, &[true])], &[(1, None), (2, None)], 30, Balancing::RoundRobin);
    assert_eq!(shares, HashMap::from([(100, 10), (102, 10), (200, 10)]));
}

#[test]
fn weights_are_kept_exactly_and_shared_by_a_destinations_instances() {
    let shares = shares(&[(1, &[true, true]), (2, &[true])], &[(1, Some(80)), (2, Some(20))], 1_000, Balancing::RoundRobin);
    assert_eq!(shares, HashMap::from([(100, 400), (101, 400), (200, 200)]));
}

#[test]
fn weights_are_mixed_rather_than_served_in_blocks() {
    let table = table(&[(1, &[true]), (2, &[true])], &[("a.b", "", &[(1, Some(50)), (2, Some(50))])]);
    let route = table.find("a.b", "/").unwrap();
    let picks: Vec<_> = (0..100)
        .map(|_| route.pick(Wanted::Any, None, Balancing::RoundRobin.into(), &Busy, &[]).unwrap().process().guid.as_u128())
        .collect();
    assert!(picks.windows(4).all(|window| window.contains(&1) && window.contains(&2)), "{picks:?}");
}

#[test]
fn the_least_busy_instance_is_taken() {
    let shares = shares(&[(1, &[true, true, true])], &[(1, None)], 10, Balancing::LeastConnection);
    assert_eq!(shares, HashMap::from([(101, 10)]));
}

#[test]
fn weights_go_before_the_least_busy_instance() {
    let shares = shares(&[(1, &[true, true]), (2, &[true])], &[(1, Some(80)), (2, Some(20))], 1_000, Balancing::LeastConnection);
    assert_eq!(shares, HashMap::from([(101, 800), (200, 200)]));
}

#[test]
fn sessions_pins_and_gone_instances_are_heeded() {
    let table = table(&[(1, &[true, true, true])], &[("a.b", "", &[(1, None)])]);
    let route = table.find("a.b", "/").unwrap();
    let index = |wanted, bound: Option<u128>, tried: &[u128]| {
        let tried: Vec<_> = tried.iter().map(|guid| InstanceGuid::from_u128(*guid)).collect();
        let pick = route.pick(wanted, bound.map(InstanceGuid::from_u128), Balancing::RoundRobin.into(), &Busy, &tried);
        pick.map(|pick| pick.instance().unwrap().endpoint.index)
    };
    for _ in 0..3 {
        assert_eq!(index(Wanted::Any, Some(102), &[]), Some(2));
        assert_eq!(index(Wanted::App(AppGuid::from_u128(1), 1), None, &[]), Some(1));
        assert_eq!(index(Wanted::Any, None, &[100, 102]), Some(1));
    }
    assert!(index(Wanted::Any, Some(999), &[]).is_some(), "a session whose instance is gone moves");
    assert_eq!(index(Wanted::App(AppGuid::from_u128(2), 1), None, &[]), None);
    assert_eq!(index(Wanted::Process(ProcessGuid::from_u128(1), Some(7)), None, &[]), None);
    assert!(index(Wanted::Process(ProcessGuid::from_u128(1), None), None, &[]).is_some());
    assert_eq!(index(Wanted::Any, None, &[100, 101, 102]), None);
}

#[test]
fn pins_are_read_strictly() {
    let guid = AppGuid::from_u128(5);
    let wanted = |name: HeaderName, value: &str| Wanted::of(&HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]));
    assert_eq!(wanted(X_CF_APP_INSTANCE, &format!("{guid}:2")), Ok(Wanted::App(guid, 2)));
    for bad in ["", "x", &guid.to_string(), &format!("{guid}:"), &format!("{guid}:-1"), &format!("{guid}:+1"), &format!("{guid}:1:2")] {
        assert_eq!(wanted(X_CF_APP_INSTANCE, bad), Err(Failure::InvalidAppInstance), "{bad}");
    }
    let process = ProcessGuid::from_u128(5);
    assert_eq!(wanted(X_CF_PROCESS_INSTANCE, &process.to_string()), Ok(Wanted::Process(process, None)));
    assert_eq!(wanted(X_CF_PROCESS_INSTANCE, &format!("{process}:0")), Ok(Wanted::Process(process, Some(0))));
    assert_eq!(wanted(X_CF_PROCESS_INSTANCE, "nope"), Err(Failure::InvalidProcessInstance));
}

/// Instances 0, 1 and 2 of one process, behind a route that hashes by `X-User`.
fn hashing(balance_percent: Option<u16>, routable: &[bool]) -> crate::routes::table::Table {
    let balancing = LoadBalancing::Hash { header: "X-User".to_owned(), balance_percent };
    crate::routes::table::tests::table_with(&[(1, routable)], &[("a.b", "", &[(1, None)])], Some(&balancing))
}

/// The index that a user's request is given.
fn index_for(table: &crate::routes::table::Table, user: &str) -> u32 {
    let route = table.find("a.b", "/").unwrap();
    let headers = HeaderMap::from_iter([(HeaderName::from_static("x-user"), HeaderValue::from_str(user).unwrap())]);
    let choice = route.choice(Balancing::RoundRobin, &headers);
    route.pick(Wanted::Any, None, choice, &Busy, &[]).unwrap().instance().unwrap().endpoint.index
}

#[test]
fn a_header_leads_to_one_instance_and_a_lost_one_moves_only_its_own() {
    let (all, without_one) = (hashing(None, &[true, true, true]), hashing(None, &[true, false, true]));
    let users: Vec<String> = (0..300).map(|user| format!("user-{user}")).collect();
    let mut moved = 0;
    let mut seen = [0; 3];
    for user in &users {
        let index = index_for(&all, user);
        assert_eq!(index_for(&all, user), index, "{user} stays");
        seen[index as usize] += 1;
        if index_for(&without_one, user) != index {
            assert_eq!(index, 1, "{user} moves only because its instance is gone");
            moved += 1;
        }
    }
    assert_eq!(moved, seen[1]);
    assert!(seen.iter().all(|users| *users > 50), "{seen:?}");
}

#[test]
fn without_the_header_requests_take_turns() {
    let table = hashing(None, &[true, true, true]);
    let route = table.find("a.b", "/").unwrap();
    assert_eq!(route.choice(Balancing::RoundRobin, &HeaderMap::new()), Choice::RoundRobin);
    assert_eq!(route.choice(Balancing::LeastConnection, &HeaderMap::new()), Choice::LeastConnection);
}

#[test]
fn an_instance_with_more_than_its_share_is_passed_over() {
    // Every instance but the second has one request in flight: the mean is 2/3, and 110% of it is less than one.
    let table = hashing(Some(110), &[true, true, true]);
    for user in 0..50 {
        assert_eq!(index_for(&table, &format!("user-{user}")), 1);
    }
    // Twice the mean is more than one.
    let table = hashing(Some(200), &[true, true, true]);
    assert!((0..50).any(|user| index_for(&table, &format!("user-{user}")) != 1));
}
