//! Security groups reach the running apps of the spaces they hold in, and no others.

use super::world::World;
use virga_contract::{cell::CellSnapshot, scheduling::Scheduler as _};
use virga_model::{ProcessGuid, SecurityGroupGuid, egress::EgressRule};
use virga_serve::clock::Clock as _;
use virga_store::{
    security_groups::{self, Phase, SecurityGroupRow},
    spaces::{self, SpaceRow},
};

fn group(name: &str, destination: &str, world: &World) -> SecurityGroupRow {
    let rule = EgressRule {
        protocol: "all".into(),
        destination: destination.into(),
        ports: None,
        icmp_type: None,
        code: None,
        description: None,
        log: None,
    };
    let now = world.clock.now();
    SecurityGroupRow {
        guid: SecurityGroupGuid::random(),
        created_at: now,
        updated_at: now,
        name: name.into(),
        rules: vec![rule],
        running_default: false,
        staging_default: false,
    }
}

fn allows(snapshot: &CellSnapshot, process: ProcessGuid) -> Vec<String> {
    let process = snapshot.processes.iter().find(|known| known.process == process).expect("the process is there");
    process.egress.iter().map(|rule| rule.destination.clone()).collect()
}

#[tokio::test]
async fn a_group_holds_in_its_spaces_and_reaches_apps_that_run() {
    let mut world = World::with_workers(1).await;
    let (_, here) = world.app("here", 1).await;
    let first = world.space;
    let mut tx = world.begin().await;
    let organization = spaces::find(&mut tx, first).await.unwrap().unwrap().organization;
    let second = SpaceRow::new("second", organization, world.clock.now());
    spaces::insert(&mut tx, &second).await.unwrap();
    let (everywhere, own, staging) =
        (group("everywhere", "1.1.1.1", &world), group("own", "2.2.2.2", &world), group("staging", "3.3.3.3", &world));
    for group in [&SecurityGroupRow { running_default: true, ..everywhere }, &own, &staging] {
        security_groups::insert(&mut tx, group).await.unwrap();
    }
    security_groups::bind(&mut tx, staging.guid, Phase::Staging, second.guid).await.unwrap();
    tx.commit().await.unwrap();
    world.space = second.guid;
    let (_, there) = world.app("there", 1).await;
    let mut worker = world.worker(0);
    worker.apply(|snapshot| snapshot.processes.len() == 2).await;
    assert_eq!((allows(worker.snapshot(), here), allows(worker.snapshot(), there)), (vec!["1.1.1.1".into()], vec!["1.1.1.1".into()]));

    let mut tx = world.begin().await;
    security_groups::bind(&mut tx, own.guid, Phase::Running, second.guid).await.unwrap();
    tx.commit().await.unwrap();
    world.handle.nudge();
    worker.apply(|snapshot| allows(snapshot, there) == ["1.1.1.1", "2.2.2.2"]).await;
    assert_eq!(allows(worker.snapshot(), here), ["1.1.1.1"]);

    let mut tx = world.begin().await;
    assert!(security_groups::unbind(&mut tx, own.guid, Phase::Running, second.guid).await.unwrap());
    tx.commit().await.unwrap();
    world.handle.nudge();
    worker.apply(|snapshot| allows(snapshot, there) == ["1.1.1.1"]).await;
    world.end().await;
}
