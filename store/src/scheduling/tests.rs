use super::*;
use crate::{Store, testing::on_both};
use virga_model::{InstanceGuid, ProcessGuid, Timestamp, state::InstanceState};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn instance(process: ProcessGuid, index: u32) -> ActualInstanceRow {
    ActualInstanceRow {
        guid: InstanceGuid::random(),
        process,
        index,
        version: "v1".into(),
        cell: "cell-0".into(),
        state: InstanceState::Starting,
        since: at(0),
        details: None,
        crash_count: 0,
        restart_at: None,
    }
}

async fn actual(store: &Store) -> Vec<ActualInstanceRow> {
    let mut rows = list_actual(&mut store.read().await.unwrap()).await.unwrap();
    rows.sort_by_key(|row| row.index);
    rows
}

#[tokio::test]
async fn an_instance_takes_the_place_of_another() {
    on_both(|store| async move {
        let process = ProcessGuid::random();
        // More than one statement takes.
        let mut rows: Vec<_> = (0..450).map(|index| instance(process, index)).collect();
        rows[3].details = Some("it's not \"ready\"".into());
        let mut transaction = store.begin().await.unwrap();
        write_actual(&mut transaction, &rows).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(actual(&store).await, rows);

        let crashed = ActualInstanceRow { state: InstanceState::Crashed, crash_count: 3, restart_at: Some(at(30)), ..instance(process, 3) };
        let gone: Vec<_> = rows.drain(10..).map(|row| row.guid).collect();
        rows[3] = crashed.clone();
        let mut transaction = store.begin().await.unwrap();
        delete_actual(&mut transaction, &gone).await.unwrap();
        write_actual(&mut transaction, &[crashed]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(actual(&store).await, rows);
    })
    .await;
}

#[tokio::test]
async fn a_spec_stays_until_the_next_version_or_the_end() {
    on_both(|store| async move {
        let (one, two) = (ProcessGuid::random(), ProcessGuid::random());
        let row = |process, version: &str| PinnedRow { process, version: version.into(), spec: format!("{{\"v\":\"{version}\"}}") };
        let mut transaction = store.begin().await.unwrap();
        write_pinned(&mut transaction, &[row(one, "v1"), row(two, "v1")]).await.unwrap();
        write_pinned(&mut transaction, &[row(one, "v2")]).await.unwrap();
        delete_pinned(&mut transaction, &[two]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(list_pinned(&mut store.read().await.unwrap()).await.unwrap(), [row(one, "v2")]);
    })
    .await;
}

#[tokio::test]
async fn revisions_grow_even_when_the_clock_is_set_back() {
    on_both(|store| async move {
        let mut last = 0;
        for now in [at(0), at(10_000), at(-100_000), at(-100_000)] {
            let mut transaction = store.begin().await.unwrap();
            let first = next_first_revision(&mut transaction, now).await.unwrap();
            transaction.commit().await.unwrap();
            assert!(first > last, "{first} after {last}");
            last = first;
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_database_desires_nothing() {
    on_both(|store| async move {
        let mut db = store.read().await.unwrap();
        assert!(list_desired(&mut db).await.unwrap().is_empty());
        assert!(list_desired_since(&mut db, at(0)).await.unwrap().is_empty());
        assert!(list_desired_routes(&mut db).await.unwrap().is_empty());
        assert!(list_desired_routes_since(&mut db, at(0)).await.unwrap().is_empty());
        assert_eq!((count_desired(&mut db).await.unwrap(), count_desired_routes(&mut db).await.unwrap()), (0, 0));
        assert!(list_running_rules(&mut db).await.unwrap().is_empty());
        assert!(running_variables(&mut db).await.unwrap().is_empty());
        assert!(list_specs(&mut db, &[ProcessGuid::random()]).await.unwrap().is_empty());
    })
    .await;
}
