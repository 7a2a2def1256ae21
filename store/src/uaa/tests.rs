use super::{
    groups,
    refresh_tokens::{self, RefreshTokenRow},
    revoked_tokens,
    users::{self, Attribute, UaaUserRow},
};
use crate::{StoreError, testing};
use virga_model::{Sha256Digest, Timestamp, UserGuid};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn user(name: &str, second: i64) -> UaaUserRow {
    UaaUserRow {
        guid: UserGuid::random(),
        created_at: at(second),
        updated_at: at(second),
        username: name.to_owned(),
        origin: "uaa".to_owned(),
        email: format!("{name}@example.com"),
        given_name: "G".to_owned(),
        family_name: "F".to_owned(),
        password_hash: Some("hash".to_owned()),
        password_changed_at: at(second),
        active: true,
        failed_logins: 0,
        last_failed_at: at(0),
    }
}

#[tokio::test]
async fn users_are_found_whatever_the_case_and_names_are_unique() {
    testing::on_both(|store| async move {
        let (ann, bob) = (user("Ann", 1), user("bob", 2));
        let mut db = store.begin().await.unwrap();
        users::insert(&mut db, &ann).await.unwrap();
        users::insert(&mut db, &bob).await.unwrap();
        groups::add(&mut db, ann.guid, "cloud_controller.admin").await.unwrap();
        groups::add(&mut db, ann.guid, "cloud_controller.admin").await.unwrap();
        db.commit().await.unwrap();

        let mut db = store.begin().await.unwrap();
        let taken = users::insert(&mut db, &user("aNN", 3)).await.unwrap_err();
        assert!(taken.is_unique("uaa_users_username_key_origin"), "{taken:?}");
        db.rollback().await.unwrap();

        let mut db = store.begin().await.unwrap();
        assert_eq!(users::find_by_name(&mut db, "ANN", "uaa").await.unwrap().as_ref(), Some(&ann));
        assert_eq!(users::find_by_name(&mut db, "ann", "ldap").await.unwrap(), None);
        assert_eq!(groups::list(&mut db, ann.guid).await.unwrap(), ["cloud_controller.admin"]);
        let filter = vec![
            vec![(Attribute::Username, "BOB".to_owned()), (Attribute::Origin, "uaa".to_owned())],
            vec![(Attribute::Id, ann.guid.to_string())],
        ];
        assert_eq!(users::list(&mut db, &filter, 1, 10).await.unwrap(), (vec![bob.clone()], 2));
        let nobody = vec![vec![(Attribute::Email, "' OR 1=1".to_owned())]];
        assert_eq!(users::list(&mut db, &nobody, 0, 10).await.unwrap(), (vec![], 0));
        assert_eq!(users::list(&mut db, &vec![], 0, 1).await.unwrap(), (vec![ann], 2));
        assert!(users::delete(&mut db, bob.guid).await.unwrap());
        assert!(!users::delete(&mut db, bob.guid).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn failed_logins_are_counted_within_their_window() {
    testing::on_both(|store| async move {
        let ann = user("ann", 1);
        let mut db = store.begin().await.unwrap();
        users::insert(&mut db, &ann).await.unwrap();
        for (since, now, expected) in [(0, 10, 1), (0, 11, 2), (12, 20, 1)] {
            users::count_failed_login(&mut db, ann.guid, at(since), at(now)).await.unwrap();
            let row = users::find(&mut db, ann.guid).await.unwrap().unwrap();
            assert_eq!((row.failed_logins, row.last_failed_at), (expected, at(now)));
        }
        users::forget_failed_logins(&mut db, ann.guid).await.unwrap();
        assert_eq!(users::find(&mut db, ann.guid).await.unwrap().unwrap().failed_logins, 0);
    })
    .await;
}

#[tokio::test]
async fn tokens_go_with_their_time_and_with_their_user() {
    testing::on_both(|store| async move {
        let ann = user("ann", 1);
        let token = |name: &str, made: i64| RefreshTokenRow {
            token_hash: Sha256Digest::of(name.as_bytes()),
            created_at: at(made),
            expires_at: at(made + 100),
            user: ann.guid,
            client_id: "cf".to_owned(),
            scopes: vec!["openid".to_owned()],
        };
        let mut db = store.begin().await.unwrap();
        users::insert(&mut db, &ann).await.unwrap();
        refresh_tokens::insert(&mut db, &token("a", 10)).await.unwrap();
        let a = Sha256Digest::of(b"a");
        assert_eq!(refresh_tokens::find(&mut db, a).await.unwrap(), Some(token("a", 10)));
        refresh_tokens::insert(&mut db, &token("b", 110)).await.unwrap();
        assert_eq!(refresh_tokens::find(&mut db, a).await.unwrap(), None, "expired");
        assert!(!refresh_tokens::delete(&mut db, Sha256Digest::of(b"b"), Some(UserGuid::random())).await.unwrap());
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
