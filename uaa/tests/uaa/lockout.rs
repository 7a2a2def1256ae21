//! Wrong passwords.

use crate::support::{ADMIN_PASSWORD, Harness};
use virga_uaa::UaaSettings;

const LOCKED: &str = "Your account has been locked because of too many failed attempts to login.";

#[tokio::test]
async fn five_failures_lock_for_five_minutes() {
    let uaa = Harness::start().await;
    for _ in 0..5 {
        assert_eq!(uaa.log_in("admin", "wrong").await.text("error_description"), "Bad credentials");
    }
    for password in ["wrong", ADMIN_PASSWORD] {
        let answer = uaa.log_in("admin", password).await;
        answer.is(401, "unauthorized");
        assert_eq!(answer.text("error_description"), LOCKED);
    }
    uaa.wait(299);
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 401);
    uaa.wait(1);
    assert_eq!(uaa.log_in("admin", "wrong").await.text("error_description"), "Bad credentials");
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.text("error_description"), LOCKED, "one more failure locks at once");
    uaa.wait(300);
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 200);
    for _ in 0..4 {
        uaa.log_in("admin", "wrong").await;
    }
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 200, "a good login begins the count anew");
}

#[tokio::test]
async fn the_lock_outlives_a_restart_and_old_failures_are_forgotten() {
    let uaa = Harness::start().await;
    for _ in 0..5 {
        uaa.log_in("admin", "wrong").await;
    }
    let uaa = uaa.restart().await;
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.text("error_description"), LOCKED);
    uaa.wait(3_601);
    for _ in 0..4 {
        uaa.log_in("admin", "wrong").await;
    }
    assert_eq!(uaa.log_in("admin", ADMIN_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn guesses_sent_all_at_once_are_counted() {
    let uaa = Harness::start().await;
    let guesses = (0..20).map(|_| uaa.log_in("admin", "wrong"));
    let answers = join_all(guesses).await;
    let checked = answers.iter().filter(|answer| answer.text("error_description") == "Bad credentials").count();
    // Two passwords are checked at a time, so one may slip in beside the fifth.
    assert!((5..=6).contains(&checked), "{checked}");
}

#[tokio::test]
async fn unknown_users_are_told_nothing_and_a_full_queue_is_429() {
    let uaa = Harness::with(UaaSettings { password_checks: 1, password_queue: 1, ..UaaSettings::default() }).await;
    uaa.log_in("nobody", "x").await.is(401, "unauthorized");
    let answers = join_all((0..10).map(|_| uaa.log_in("nobody", "x"))).await;
    assert!(answers.iter().any(|answer| answer.status == 429));
    assert!(answers.iter().all(|answer| answer.status == 429 || answer.status == 401));
}

async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in running.iter_mut().zip(&mut done) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
