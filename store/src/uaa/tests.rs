use super::{
    approvals::{self, ApprovalRow},
    clients::{self, UaaClientRow},
    codes::{self, CodeRow, Kind as CodeKind},
    failed_logins, groups,
    refresh_tokens::{self, RefreshTokenRow},
    revoked_tokens,
    scim::{Column, Filter, Kind, Listing, Operator},
    sessions::{self, SessionRow},
    users::{self, UaaUserRow},
};
use crate::{StoreError, testing};
use virga_model::{Sha256Digest, Timestamp, UserGuid};

const ID: Column = Column { name: "guid", kind: Kind::Text };
const NAME: Column = Column { name: "username_key", kind: Kind::LowerText };
const EMAIL: Column = Column { name: "email", kind: Kind::Text };
const ACTIVE: Column = Column { name: "active", kind: Kind::Flag };
const CREATED: Column = Column { name: "created_at", kind: Kind::Time };
const LAST_LOGIN: Column = Column { name: "last_login_at", kind: Kind::Time };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn user(name: &str, second: i64) -> UaaUserRow {
    UaaUserRow {
        email: format!("{name}@example.com"),
        password_hash: Some("hash".to_owned()),
        ..UaaUserRow::new(UserGuid::random(), at(second), name, "uaa")
    }
}

fn by_creation(filter: Filter, skip: u32, limit: u32) -> Listing {
    Listing { filter, order_by: CREATED, descending: false, skip, limit }
}

fn equal(column: Column, text: &str) -> Filter {
    Filter::Compare(column, Operator::Equal, text.into())
}

#[tokio::test]
async fn users_are_found_whatever_the_case_and_names_are_unique() {
    testing::on_both(|store| async move {
        let (ann, bob) = (user("Ann", 1), user("bob", 2));
        let mut db = store.begin().await.unwrap();
        users::insert(&mut db, &ann).await.unwrap();
        users::insert(&mut db, &bob).await.unwrap();
        assert!(groups::add(&mut db, ann.guid, "cloud_controller.admin", "uaa").await.unwrap());
        assert!(!groups::add(&mut db, ann.guid, "cloud_controller.admin", "uaa").await.unwrap());
        db.commit().await.unwrap();

        let mut db = store.begin().await.unwrap();
        let taken = users::insert(&mut db, &user("aNN", 3)).await.unwrap_err();
        assert!(taken.is_unique("uaa_users_username_key_origin"), "{taken:?}");
        db.rollback().await.unwrap();

        let mut db = store.begin().await.unwrap();
        assert_eq!(users::find_by_name(&mut db, "ANN", "uaa").await.unwrap().as_ref(), Some(&ann));
        assert_eq!(users::find_by_name(&mut db, "ann", "ldap").await.unwrap(), None);
        assert_eq!(groups::of_user(&mut db, ann.guid).await.unwrap(), ["cloud_controller.admin"]);
        let either = Filter::Or(Box::new(equal(NAME, "bob")), Box::new(equal(ID, &ann.guid.to_string().to_uppercase())));
        assert_eq!(users::list(&mut db, &by_creation(either, 1, 10)).await.unwrap(), (vec![bob.clone()], 2));
        assert_eq!(users::list(&mut db, &by_creation(equal(EMAIL, "' OR 1=1"), 0, 10)).await.unwrap(), (vec![], 0));
        assert_eq!(users::list(&mut db, &by_creation(Filter::Everything, 0, 1)).await.unwrap(), (vec![ann], 2));
        assert!(users::delete(&mut db, bob.guid).await.unwrap());
        assert!(!users::delete(&mut db, bob.guid).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn filters_mean_what_they_say() {
    testing::on_both(|store| async move {
        let mut db = store.begin().await.unwrap();
        for (name, second) in [("ann", 1), ("a%b", 2), ("Bob", 3)] {
            let row = UaaUserRow { active: name != "Bob", ..user(name, second) };
            users::insert(&mut db, &row).await.unwrap();
        }
        let bob = users::find_by_name(&mut db, "bob", "uaa").await.unwrap().unwrap();
        users::note_login(&mut db, bob.guid, at(5)).await.unwrap();
        let text = |column, operator, text: &str| Filter::Compare(column, operator, text.into());
        let not = |filter| Filter::Not(Box::new(filter));
        for (filter, expected) in [
            (text(EMAIL, Operator::Contains, "%"), vec!["a%b"]),
            (text(EMAIL, Operator::StartsWith, "A"), vec!["ann", "a%b"]),
            (text(EMAIL, Operator::EndsWith, "B@EXAMPLE.com"), vec!["a%b", "Bob"]),
            (text(NAME, Operator::NotEqual, "ann"), vec!["a%b", "Bob"]),
            (Filter::Compare(ACTIVE, Operator::Equal, false.into()), vec!["Bob"]),
            (Filter::Compare(CREATED, Operator::GreaterOrEqual, at(2).into()), vec!["a%b", "Bob"]),
            (Filter::Compare(CREATED, Operator::Less, at(2).into()), vec!["ann"]),
            (Filter::Present(LAST_LOGIN), vec!["Bob"]),
            (not(Filter::Compare(LAST_LOGIN, Operator::Equal, at(5).into())), vec!["ann", "a%b"]),
            (Filter::And(Box::new(Filter::Everything), Box::new(not(Filter::Present(NAME)))), vec![]),
        ] {
            let (rows, total) = users::list(&mut db, &by_creation(filter.clone(), 0, 10)).await.unwrap();
            let names: Vec<_> = rows.iter().map(|row| row.username.as_str()).collect();
            assert_eq!((names.as_slice(), total), (expected.as_slice(), u64::try_from(expected.len()).unwrap()), "{filter:?}");
        }
        let by_email = Listing { filter: Filter::Everything, order_by: EMAIL, descending: true, skip: 0, limit: 1 };
        assert_eq!(users::list(&mut db, &by_email).await.unwrap().0[0].username, "Bob");
    })
    .await;
}

#[tokio::test]
async fn failed_logins_are_counted_within_their_window() {
    testing::on_both(|store| async move {
        let mut db = store.begin().await.unwrap();
        for (since, now, expected) in [(0, 10, 1), (0, 11, 2), (12, 20, 1)] {
            failed_logins::count(&mut db, "uaa", "Ann", at(since), at(now)).await.unwrap();
            let failed = failed_logins::find(&mut db, "uaa", "aNN").await.unwrap().unwrap();
            assert_eq!((failed.failures, failed.last_failed_at), (expected, at(now)));
        }
        assert_eq!(failed_logins::find(&mut db, "ldap", "ann").await.unwrap(), None);
        failed_logins::forget(&mut db, "uaa", "ANN").await.unwrap();
        assert_eq!(failed_logins::find(&mut db, "uaa", "ann").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn codes_and_sessions_are_good_once_and_for_their_time() {
    testing::on_both(|store| async move {
        let ann = user("ann", 1);
        let mut db = store.begin().await.unwrap();
        users::insert(&mut db, &ann).await.unwrap();
        let code = |name: &str, made: i64| CodeRow {
            code_hash: Sha256Digest::of(name.as_bytes()),
            kind: CodeKind::Passcode,
            created_at: at(made),
            expires_at: at(made + 10),
            user: Some(ann.guid),
            data: "d".to_owned(),
        };
        codes::insert(&mut db, &code("a", 10)).await.unwrap();
        let hash = Sha256Digest::of(b"a");
        assert_eq!(codes::take(&mut db, CodeKind::Authorization, hash, at(11)).await.unwrap(), None, "of another kind");
        assert_eq!(codes::take(&mut db, CodeKind::Passcode, hash, at(20)).await.unwrap(), None, "too late");
        assert_eq!(codes::take(&mut db, CodeKind::Passcode, hash, at(19)).await.unwrap(), Some(code("a", 10)));
        assert_eq!(codes::take(&mut db, CodeKind::Passcode, hash, at(19)).await.unwrap(), None, "used");
        for number in 0..25 {
            codes::insert(&mut db, &code(&format!("n{number}"), 100 + number)).await.unwrap();
        }
        assert_eq!(codes::find(&mut db, CodeKind::Passcode, Sha256Digest::of(b"n4"), at(101)).await.unwrap(), None, "the oldest go");
        assert!(codes::find(&mut db, CodeKind::Passcode, Sha256Digest::of(b"n15"), at(101)).await.unwrap().is_some());

        let session = SessionRow { token_hash: hash, created_at: at(1), expires_at: at(9), user: ann.guid };
        sessions::insert(&mut db, &session).await.unwrap();
        assert_eq!(sessions::find(&mut db, hash, at(8)).await.unwrap(), Some(session));
        assert_eq!(sessions::find(&mut db, hash, at(9)).await.unwrap(), None);
        sessions::delete_of_user(&mut db, ann.guid).await.unwrap();
        assert_eq!(sessions::find(&mut db, hash, at(8)).await.unwrap(), None);

        let approval = ApprovalRow {
            user: ann.guid,
            client_id: "c".to_owned(),
            scope: "openid".to_owned(),
            approved: false,
            updated_at: at(1),
            expires_at: at(9),
        };
        approvals::save(&mut db, &approval).await.unwrap();
        approvals::save(&mut db, &ApprovalRow { approved: true, ..approval.clone() }).await.unwrap();
        assert_eq!(approvals::list(&mut db, ann.guid, at(8)).await.unwrap(), [ApprovalRow { approved: true, ..approval }]);
        assert_eq!(approvals::list(&mut db, ann.guid, at(9)).await.unwrap(), []);
        users::delete(&mut db, ann.guid).await.unwrap();
        assert_eq!(codes::find(&mut db, CodeKind::Passcode, Sha256Digest::of(b"n15"), at(101)).await.unwrap(), None);
        db.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn clients_read_back_as_they_were_written() {
    testing::on_both(|store| async move {
        let mut db = store.begin().await.unwrap();
        let mut client = UaaClientRow {
            name: "N".to_owned(),
            secret_hash: Some("h".to_owned()),
            second_secret_hash: Some("i".to_owned()),
            allowed_providers: Some(vec!["uaa".to_owned()]),
            allow_public: true,
            extra: serde_json::json!({"k": [1]}).as_object().unwrap().clone(),
            ..UaaClientRow::new("c", at(1))
        };
        assert!(matches!(clients::update(&mut db, &client).await, Err(StoreError::Conflict)));
        clients::insert(&mut db, &client).await.unwrap();
        client.scopes.push("openid".to_owned());
        clients::update(&mut db, &client).await.unwrap();
        let read = clients::find(&mut db, "c").await.unwrap().unwrap();
        assert!(read == client, "{read:?}");
        assert!(clients::delete(&mut db, "c").await.unwrap() && !clients::delete(&mut db, "c").await.unwrap());
        db.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tokens_go_with_their_time_and_with_their_user() {
    testing::on_both(|store| async move {
        let ann = user("ann", 1);
        let token = |name: &str, made: i64| RefreshTokenRow {
            token_hash: Sha256Digest::of(name.as_bytes()),
            jti: name.to_owned(),
            family: "f".to_owned(),
            created_at: at(made),
            auth_time: at(made),
            expires_at: at(made + 100),
            used_at: None,
            user: ann.guid,
            client_id: "cf".to_owned(),
            grant_type: "password".to_owned(),
            scopes: vec!["openid".to_owned()],
        };
        let mut db = store.begin().await.unwrap();
        users::insert(&mut db, &ann).await.unwrap();
        refresh_tokens::insert(&mut db, &token("a", 10)).await.unwrap();
        let a = Sha256Digest::of(b"a");
        assert_eq!(refresh_tokens::find(&mut db, a).await.unwrap(), Some(token("a", 10)));
        refresh_tokens::insert(&mut db, &token("b", 110)).await.unwrap();
        assert_eq!(refresh_tokens::find(&mut db, a).await.unwrap(), None, "expired");
        assert_eq!(refresh_tokens::find_by_jti(&mut db, "b").await.unwrap(), Some(token("b", 110)));
        assert_eq!(refresh_tokens::find_by_jti(&mut db, "").await.unwrap(), None);
        refresh_tokens::mark_used(&mut db, Sha256Digest::of(b"b"), at(120)).await.unwrap();
        refresh_tokens::mark_used(&mut db, Sha256Digest::of(b"b"), at(130)).await.unwrap();
        assert_eq!(refresh_tokens::find_by_jti(&mut db, "b").await.unwrap().unwrap().used_at, Some(at(120)), "the first time counts");
        refresh_tokens::delete_family(&mut db, &token("a", 10)).await.unwrap();
        assert_eq!(refresh_tokens::find_by_jti(&mut db, "b").await.unwrap(), None);
        refresh_tokens::insert(&mut db, &token("b", 110)).await.unwrap();
        users::delete(&mut db, ann.guid).await.unwrap();
        assert_eq!(refresh_tokens::find(&mut db, Sha256Digest::of(b"b")).await.unwrap(), None);

        revoked_tokens::insert(&mut db, "j", at(50), at(1)).await.unwrap();
        assert!(revoked_tokens::contains(&mut db, "j").await.unwrap());
        revoked_tokens::insert(&mut db, "k", at(90), at(60)).await.unwrap();
        assert!(!revoked_tokens::contains(&mut db, "j").await.unwrap());
        db.commit().await.unwrap();

        let mut db = store.begin().await.unwrap();
        let orphan = refresh_tokens::insert(&mut db, &token("c", 10)).await.unwrap_err();
        assert!(matches!(orphan, StoreError::Reference(_)), "{orphan:?}");
    })
    .await;
}
