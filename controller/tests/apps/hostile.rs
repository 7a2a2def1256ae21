//! Uploads that mean harm: refused by name, and nothing of them stays.

use crate::support::{Harness, files, zip};
use serde_json::json;

#[tokio::test]
async fn hostile_zips_fail_the_package_and_store_nothing() {
    let harness = Harness::start().await;
    let app = harness.app("victim").await;
    let mut slip = zip(&[("xx/evil", b"")]);
    while let Some(at) = slip.windows(7).position(|window| window == b"xx/evil") {
        slip[at..at + 2].copy_from_slice(b"..");
    }
    let bomb = zip(&[("bomb", &vec![0; 64 << 20])]);
    for (bits, words) in
        [(slip, "leads out of the app's folder"), (bomb, "times its compressed size"), (b"junk".to_vec(), "not a sound zip")]
    {
        let package = harness.package(&app).await;
        let answer = harness.upload(&package, &json!([]), Some(&bits)).await.is(400);
        assert_eq!(answer.body["errors"][0]["code"], 160001);
        assert!(answer.details()[0].contains(words), "{:?}", answer.details());
        let shown = harness.get(&format!("/v3/packages/{package}")).await.is(200);
        assert_eq!(shown.text("/state"), "FAILED");
        assert!(shown.text("/data/error").contains(words));
        harness.upload(&package, &json!([]), Some(&zip(&[("a", b"")]))).await.refused(400, "only once");
    }
    assert_eq!(files(&harness.blobs.path().join("packages")), 0);
}

#[tokio::test]
async fn what_is_too_much_or_malformed_leaves_the_package_waiting() {
    let harness = Harness::start().await;
    let app = harness.app("waiting").await;
    let package = harness.package(&app).await;
    let path = format!("/v3/packages/{package}/upload");
    harness.upload(&package, &json!([]), Some(&vec![7; 5 << 20])).await.refused(400, "exceed the limit of 4194304 bytes");
    harness.upload(&package, &json!([]), None).await.refused(400, "missing a file");
    harness.upload(&package, &json!({ "not": "a list" }), None).await.refused(400, "resources");
    harness.post(&path, json!({})).await.refused(400, "The app upload is invalid");
    let invented = json!([{ "path": "a", "checksum": { "value": "a".repeat(40) }, "size_in_bytes": 7 }]);
    assert_eq!(harness.get(&format!("/v3/packages/{package}")).await.text("/state"), "AWAITING_UPLOAD");
    harness.upload(&package, &invented, None).await.refused(400, "is not in the resource cache");
}
