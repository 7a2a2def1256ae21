use super::{LogPump, LogQueue, QueueLimits};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;
use virga_contract::{
    cell::LinkError,
    logs::{Envelope, LogSink as _, LogStream, Message},
};
use virga_model::AppGuid;

fn line(app: AppGuid, text: &str) -> Envelope {
    Envelope::line(1, app, "APP/PROC/WEB", 0, LogStream::Out, text.to_owned())
}

fn access(app: AppGuid) -> Envelope {
    Envelope { source_type: "RTR".into(), ..line(app, "GET /") }
}

fn is_line(envelope: &Envelope, source: &str) -> bool {
    envelope.source_type == source && matches!(envelope.message, Message::Log { .. })
}

fn gaps(envelopes: &[Envelope]) -> Vec<String> {
    let text = |envelope: &Envelope| match &envelope.message {
        Message::Log { payload, .. } if envelope.source_type == "LGR" => Some(String::from_utf8(payload.to_vec()).unwrap()),
        _ => None,
    };
    envelopes.iter().filter_map(text).collect()
}

/// Runs the pump until all is delivered that waits.
async fn drain(pump: LogPump) -> Vec<Envelope> {
    let delivered = RefCell::new(Vec::new());
    let sink = &delivered;
    let deliver = |batch: Vec<Envelope>| async move {
        sink.borrow_mut().extend(batch);
        Ok(())
    };
    pump.run(deliver, std::future::ready(())).await;
    delivered.into_inner()
}

#[tokio::test]
async fn an_overflow_is_counted_exactly_in_the_apps_own_stream() {
    let limits = QueueLimits { app_envelopes: 100, ..QueueLimits::default() };
    let (queue, pump) = LogQueue::new(limits);
    let (noisy, quiet) = (AppGuid::random(), AppGuid::random());
    for n in 0..1_234 {
        queue.emit(line(noisy, &n.to_string()));
    }
    queue.emit(line(quiet, "hello"));
    assert_eq!(queue.dropped(), 1_134);
    let delivered = drain(pump).await;
    let of_noisy: Vec<_> = delivered.iter().filter(|envelope| envelope.app == noisy).cloned().collect();
    assert_eq!(of_noisy.iter().filter(|envelope| is_line(envelope, "APP/PROC/WEB")).count(), 100);
    assert_eq!(gaps(&of_noisy), ["1134 log lines were dropped because the log queue of this app was full"]);
    assert!(of_noisy.iter().any(|envelope| matches!(envelope.message, Message::Counter { delta: 1_134, total: 1_134, .. })));
    assert_eq!(delivered.iter().filter(|envelope| envelope.app == quiet).count(), 1);
    assert_eq!(queue.waiting(), 0);
}

#[tokio::test]
async fn access_lines_do_not_crowd_out_app_lines() {
    let (queue, pump) = LogQueue::new(QueueLimits { app_envelopes: 100, ..QueueLimits::default() });
    let app = AppGuid::random();
    (0..1_000).for_each(|_| queue.emit(access(app)));
    (0..100).for_each(|_| queue.emit(line(app, "mine")));
    let delivered = drain(pump).await;
    assert_eq!(delivered.iter().filter(|envelope| is_line(envelope, "APP/PROC/WEB")).count(), 100);
    assert_eq!(delivered.iter().filter(|envelope| is_line(envelope, "RTR")).count(), 25);
    assert_eq!(gaps(&delivered), ["975 access log lines were dropped because the log queue of this app was full"]);
}

#[tokio::test]
async fn a_full_queue_still_has_room_for_the_quiet() {
    let limits = QueueLimits { total_bytes: 100_000, reserved_bytes: 2_000, ..QueueLimits::default() };
    let (queue, pump) = LogQueue::new(limits);
    let (noisy, quiet) = (AppGuid::random(), AppGuid::random());
    (0..10_000).for_each(|_| queue.emit(line(noisy, "noise")));
    queue.emit(line(quiet, "hello"));
    let delivered = drain(pump).await;
    assert!(delivered.iter().any(|envelope| envelope.app == quiet && is_line(envelope, "APP/PROC/WEB")));
    assert!(!gaps(&delivered).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_the_other_side_is_away_waits_and_keeps_its_order() {
    let (queue, pump) = LogQueue::new(QueueLimits::default());
    let app = AppGuid::random();
    let (away, tries) = &(Cell::new(true), Cell::new(0));
    let (tried, done) = &(Notify::new(), Arc::new(Notify::new()));
    let delivered = &RefCell::new(Vec::new());
    let deliver = |batch: Vec<Envelope>| async move {
        tries.set(tries.get() + 1);
        tried.notify_one();
        if away.get() {
            return Err(LinkError::Away("restarting".into()));
        }
        delivered.borrow_mut().extend(batch);
        if delivered.borrow().len() == 3 {
            done.notify_one();
        }
        Ok(())
    };
    let script = async {
        queue.emit(line(app, "one"));
        while tries.get() < 3 {
            tried.notified().await;
        }
        queue.emit(line(app, "two"));
        queue.emit(line(app, "three"));
        away.set(false);
    };
    let stop = done.clone();
    tokio::join!(pump.run(&deliver, async move { stop.notified().await }), script);
    let texts: Vec<_> = delivered.borrow().iter().map(|envelope| envelope.message.clone()).collect();
    let expected = ["one", "two", "three"].map(|text| line(app, text).message);
    assert_eq!((texts, queue.dropped()), (expected.to_vec(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_again_and_again_is_counted_as_dropped() {
    let (queue, pump) = LogQueue::new(QueueLimits { flush: Duration::from_secs(60), ..QueueLimits::default() });
    let app = AppGuid::random();
    (0..5).for_each(|_| queue.emit(line(app, "poison")));
    let delivered = &RefCell::new(Vec::new());
    let deliver = |batch: Vec<Envelope>| async move {
        if batch.iter().any(|envelope| is_line(envelope, "APP/PROC/WEB")) {
            return Err(LinkError::Failed("413".into()));
        }
        delivered.borrow_mut().extend(batch);
        Ok(())
    };
    pump.run(deliver, std::future::ready(())).await;
    assert_eq!(gaps(&delivered.borrow()), ["5 log lines were dropped because the log queue of this app was full"]);
    assert_eq!(queue.dropped(), 5);
}
