//! Brokers that mean ill, or are broken, over real sockets: each ends in an error that can be shown, in time.

use crate::support::{Broker, Then, answer, bind, deprovision, instance, last_operation, login, plan, provision, raw};
use std::time::Duration;
use virga_broker::{BrokerErrorKind, BrokerPolicy, Brokers};

/// Long enough for any machine where the answer must come.
const PATIENT: Duration = Duration::from_secs(60);
/// Where it never comes.
const SHORT: Duration = Duration::from_millis(300);

async fn provisioned(then: Then, timeout: Duration) -> virga_broker::BrokerError {
    let broker = Broker::that(then).await;
    broker.client(timeout).provision(&provision()).await.unwrap_err()
}

#[tokio::test]
async fn one_that_never_ends_is_left() {
    let half = raw(201, "", "{}").into_iter().take(30).collect();
    let hanging_body = b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{".to_vec();
    for then in [Then::Hangs(Vec::new()), Then::Hangs(half), Then::Hangs(hanging_body), Then::Drips] {
        let error = provisioned(then.clone(), SHORT).await;
        assert_eq!(error.kind, BrokerErrorKind::Timeout, "{then:?}: {error:?}");
        assert_eq!(error.message, "The request to the service broker timed out");
        assert!(error.leaves_orphan, "{then:?}");
    }
}

#[tokio::test]
async fn what_is_no_whole_answer_is_no_answer() {
    let half = b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"dashboard_url\":".to_vec();
    let error = provisioned(Then::Sends(half), PATIENT).await;
    assert_eq!((error.kind, error.status, error.leaves_orphan), (BrokerErrorKind::ResponseMalformed, Some(201), true));
    assert!(error.message.contains("the connection ended before its end"), "{error}");
    for then in [Then::Closes, Then::Sends(b"SSH-2.0-OpenSSH\r\n".to_vec()), Then::Sends(Vec::new())] {
        let error = provisioned(then.clone(), PATIENT).await;
        assert_eq!((error.kind, error.leaves_orphan), (BrokerErrorKind::BadResponse, true), "{then:?}: {error:?}");
    }
    let error = provisioned(Then::Floods, PATIENT).await;
    assert_eq!((error.kind, error.leaves_orphan), (BrokerErrorKind::ResponseMalformed, false));
    assert!(error.message.contains("longer than 1048576 bytes"), "{error}");
}

#[tokio::test]
async fn bodies_that_are_no_answer_are_named_and_not_repeated() {
    for body in
        ["", "junk", "[]", "null", "\"s\"", "{\"password\":\"hunter2\"", "{\"dashboard_url\":7,\"a\":\"hunter2\"}", "{\"operation\":{}}"]
    {
        let error = provisioned(answer(201, body), PATIENT).await;
        assert_eq!((error.kind, error.leaves_orphan), (BrokerErrorKind::ResponseMalformed, true), "{body}");
        assert!(!error.message.contains("hunter2"), "{error}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(provisioned(answer(201, &deep), PATIENT).await.kind, BrokerErrorKind::ResponseMalformed);
    let error = provisioned(answer(202, &format!("{{\"operation\":\"{}\"}}", "x".repeat(10_001))), PATIENT).await;
    assert_eq!(error.kind, BrokerErrorKind::ResponseMalformed);
    for credentials in ["7", "[]", "\"password\"", "true"] {
        let broker = Broker::that(answer(201, &format!("{{\"credentials\":{credentials}}}"))).await;
        let error = broker.client(PATIENT).bind(&bind()).await.unwrap_err();
        assert_eq!(error.message, "The service broker returned an invalid response: expected credentials to be a valid JSON object");
        assert!(error.leaves_orphan);
    }
}

#[tokio::test]
async fn redirections_are_not_followed() {
    let elsewhere = Broker::that(answer(201, "{}")).await;
    let to = format!("Location: http://127.0.0.1:{}/v2/catalog\r\n", elsewhere.port);
    for status in [301, 302, 303, 307, 308] {
        let broker = Broker::that(Then::Sends(raw(status, &to, ""))).await;
        let error = broker.client(PATIENT).provision(&provision()).await.unwrap_err();
        assert_eq!((error.kind, error.status), (BrokerErrorKind::BadResponse, Some(status)));
    }
    let mut elsewhere = elsewhere;
    assert!(elsewhere.asked.try_recv().is_err(), "the redirection was followed");
}

#[tokio::test]
async fn what_it_says_cannot_move_a_cursor_and_ends() {
    let error = provisioned(answer(500, r#"{"description":"a\u001b[2Jb\u0000c"}"#), PATIENT).await;
    assert_eq!(error.message, "Service broker error: a [2Jb c");
    let error = provisioned(answer(500, &format!("{{\"description\":\"{}\"}}", "y".repeat(200_000))), PATIENT).await;
    assert!(error.message.len() < 16 << 10, "{}", error.message.len());
    let state = r#"{"state":"in progress","description":"\u001b]0;x\u0007half"}"#;
    let broker = Broker::that(Then::Sends(raw(200, "Retry-After: 18446744073709551615\r\n", state))).await;
    let status = broker.client(PATIENT).last_operation(&last_operation(false)).await.unwrap();
    assert_eq!(status.description.as_deref(), Some(" ]0;x half"));
    assert_eq!(virga_broker::Polling::default().pause(1, status.retry_after), Duration::from_secs(600));
    for (text, seconds) in
        [("7", Some(7)), ("-1", None), ("soon", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("99999999999999999999", None)]
    {
        let broker = Broker::that(Then::Sends(raw(200, &format!("Retry-After: {text}\r\n"), state))).await;
        let status = broker.client(PATIENT).last_operation(&last_operation(true)).await.unwrap();
        assert_eq!(status.retry_after, seconds.map(Duration::from_secs), "{text}");
    }
}

#[tokio::test]
async fn only_addresses_that_are_allowed_are_connected_to() {
    let mut broker = Broker::that(answer(200, "{}")).await;
    let port = broker.port;
    let closed = Brokers::new(BrokerPolicy { timeout: PATIENT, ..BrokerPolicy::default() });
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "2130706433", "0x7f.1"] {
        let error = closed.client(login(&format!("http://{host}:{port}")), None).err().unwrap();
        assert_eq!(error.kind, BrokerErrorKind::AddressNotAllowed, "{host}");
        assert!(error.message.contains("brokers.allowed_addresses"), "{error}");
    }
    // A name is seen through when it is resolved.
    let named = closed.client(login(&format!("http://localhost:{port}")), None).unwrap();
    let error = named.fetch_instance(instance(), &plan()).await.unwrap_err();
    assert_eq!((error.kind, error.leaves_orphan), (BrokerErrorKind::AddressNotAllowed, false), "{error:?}");
    assert!(broker.asked.try_recv().is_err(), "the broker was reached");

    let open = BrokerPolicy { timeout: PATIENT, allowed: vec![format!("127.0.0.1:{port}").parse().unwrap()], ..BrokerPolicy::default() };
    let named = Brokers::new(open).client(login(&format!("http://localhost:{port}")), None).unwrap();
    named.deprovision(&deprovision()).await.unwrap();
    assert!(broker.asked.try_recv().is_ok());
}

#[tokio::test]
async fn nobody_there_is_nothing_made() {
    // Bound and not listening: nobody else can be there either.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let policy = BrokerPolicy { timeout: PATIENT, allowed: vec!["127.0.0.1".parse().unwrap()], ..BrokerPolicy::default() };
    let client = Brokers::new(policy).client(login(&format!("http://127.0.0.1:{port}")), None).unwrap();
    let error = client.provision(&provision()).await.unwrap_err();
    assert_eq!((error.kind, error.leaves_orphan), (BrokerErrorKind::Unreachable, false));
    assert_eq!(error.message, "The service broker could not be reached");
    assert!(error.context.is_some());
}

#[test]
fn secrets_hide() {
    let shown = format!("{:?}", login("http://broker.example.com"));
    assert!(!shown.contains("s3cret"), "{shown}");
}
