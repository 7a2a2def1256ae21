use super::{CacheLimits, LogCacheStore};
use std::collections::BTreeMap;
use virga_contract::logs::{Envelope, GaugeValue, LogCache as _, LogStream, Message, ReadQuery};
use virga_model::AppGuid;

fn line(app: AppGuid, time: i64, text: &str) -> Envelope {
    let tags = BTreeMap::from([("process_type".to_owned(), "web".to_owned())]);
    Envelope { tags, ..Envelope::line(time, app, "APP/PROC/WEB", 0, LogStream::Out, text.to_owned()) }
}

fn access(app: AppGuid, time: i64) -> Envelope {
    Envelope { source_type: "RTR".into(), ..line(app, time, "GET /") }
}

fn all() -> ReadQuery {
    let start_ns = i64::MIN;
    ReadQuery { start_ns, end_ns: None, envelope_types: vec![], limit: 1000, descending: false, name_filter: None }
}

fn times(cache: &LogCacheStore, app: AppGuid, query: &ReadQuery) -> Vec<i64> {
    cache.read(app, query).unwrap().iter().map(|envelope| envelope.timestamp_ns).collect()
}

#[test]
fn envelopes_come_back_whole_in_order_of_time() {
    let cache = LogCacheStore::new(CacheLimits::default());
    let app = AppGuid::random();
    let sent = [line(app, 30, "c"), line(app, 10, "a"), line(app, 20, "b")];
    cache.ingest(sent.to_vec());
    assert_eq!(cache.read(app, &all()).unwrap(), [sent[1].clone(), sent[2].clone(), sent[0].clone()]);
    assert_eq!(times(&cache, app, &ReadQuery { descending: true, limit: 2, ..all() }), [30, 20]);
    assert_eq!(times(&cache, app, &ReadQuery { limit: 2, ..all() }), [10, 20]);
    assert_eq!(times(&cache, app, &ReadQuery { start_ns: 10, end_ns: Some(30), ..all() }), [10, 20]);
    assert!(times(&cache, AppGuid::random(), &all()).is_empty());
}

#[test]
fn types_and_names_choose_and_nonsense_is_refused() {
    let cache = LogCacheStore::new(CacheLimits::default());
    let app = AppGuid::random();
    let cpu = BTreeMap::from([("cpu".to_owned(), GaugeValue { unit: "percentage".into(), value: 1.0 })]);
    cache.ingest(vec![line(app, 1, "a"), Envelope { message: Message::Gauge(cpu), ..line(app, 2, "") }]);
    assert_eq!(times(&cache, app, &ReadQuery { envelope_types: vec!["LOG".into()], ..all() }), [1]);
    assert_eq!(times(&cache, app, &ReadQuery { envelope_types: vec!["GAUGE".into(), "TIMER".into()], ..all() }), [2]);
    assert_eq!(times(&cache, app, &ReadQuery { envelope_types: vec!["ANY".into()], ..all() }), [1, 2]);
    assert_eq!(times(&cache, app, &ReadQuery { name_filter: Some("^c.u$".into()), ..all() }), [2]);
    for bad in [
        ReadQuery { limit: 0, ..all() },
        ReadQuery { limit: 1001, ..all() },
        ReadQuery { start_ns: 5, end_ns: Some(5), ..all() },
        ReadQuery { envelope_types: vec!["SONG".into()], ..all() },
        ReadQuery { name_filter: Some("(".into()), ..all() },
        ReadQuery { name_filter: Some("((a{99}){99}){99}".into()), ..all() },
    ] {
        assert!(cache.read(app, &bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_lane_is_bounded_and_access_lines_do_not_push_out_app_lines() {
    let cache = LogCacheStore::new(CacheLimits { lane_envelopes: 10, ..CacheLimits::default() });
    let app = AppGuid::random();
    cache.ingest((0..15).map(|time| line(app, time, "x")).collect());
    cache.ingest((100..200).map(|time| access(app, time)).collect());
    let held = times(&cache, app, &all());
    assert_eq!(held, (5..15).chain(190..200).collect::<Vec<_>>());
    let meta = cache.meta();
    assert_eq!(meta.len(), 1);
    assert_eq!((meta[0].count, meta[0].expired, meta[0].oldest_ns, meta[0].newest_ns), (20, 95, 5, 199));
    assert_eq!(cache.counters().expired, 95);
}

#[test]
fn where_the_cache_is_full_the_noisy_give_way() {
    let limits = CacheLimits { total_bytes: 16 * 64 * 1024, ..CacheLimits::default() };
    let cache = LogCacheStore::new(limits);
    // All in one shard: the low four bits are alike.
    let noisy = AppGuid::from_u128(0x10);
    let quiet: Vec<_> = (2..12).map(|n| AppGuid::from_u128(n << 4)).collect();
    for app in &quiet {
        cache.ingest(vec![line(*app, 1, "quiet")]);
    }
    cache.ingest((0..10_000).map(|time| line(noisy, time, &"noise ".repeat(20))).collect());
    assert!(quiet.iter().all(|app| times(&cache, *app, &all()) == [1]));
    assert!(cache.counters().bytes <= 64 * 1024);
    let kept = times(&cache, noisy, &all());
    assert_eq!(kept.last(), Some(&9_999));
    let expired = cache.meta().iter().find(|meta| meta.app == noisy).unwrap().expired;
    assert_eq!(expired + u64::try_from(kept.len()).unwrap(), 10_000);
    cache.forget(noisy);
    assert!(cache.read(noisy, &all()).unwrap().is_empty());
}
