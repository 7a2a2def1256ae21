//! Instances of plans, their bindings and keys, with a broker over a real socket: what it is asked for, what it answers, and what
//! becomes of everything when it fails.

use super::{crashing::Crashing, started::started_app};
use crate::{
    jobs::run_one_round,
    testing::{
        Api, User,
        broker::{Broker, Reply},
        on_both,
    },
};
use serde_json::{Value, json};
use virga_model::{AppGuid, OrgGuid, SpaceGuid, state::RoleType};

const SECRET: &str = "hunter2";

fn catalog(plans: &[Value]) -> Value {
    json!({ "services": [{
        "id": "database-id", "name": "database", "description": "a database", "bindable": true, "tags": ["sql"],
        "plan_updateable": true, "instances_retrievable": true, "bindings_retrievable": true, "allow_context_updates": true,
        "metadata": { "shareable": true }, "plans": plans,
    }] })
}

fn plan(name: &str, free: bool) -> Value {
    json!({ "id": format!("{name}-id"), "name": name, "description": name, "free": free, "maintenance_info": { "version": "1.0.0" } })
}

fn to(guid: &impl ToString) -> Value {
    json!({ "data": { "guid": guid.to_string() } })
}

fn guid(resource: &Value) -> String {
    resource["guid"].as_str().unwrap().to_owned()
}

/// A platform with a broker whose plans `small` (free) and `large` everybody sees, and a developer.
struct Scene<'a> {
    api: &'a Api,
    admin: User<'a>,
    developer: User<'a>,
    broker: Broker,
    broker_guid: String,
    org: OrgGuid,
    space: SpaceGuid,
}

impl<'a> Scene<'a> {
    async fn set(api: &'a Api) -> Scene<'a> {
        let (org, space) = api.org_and_space("o").await;
        let developer = api.user_who_is(RoleType::SpaceDeveloper, org, space).await;
        let admin = api.admin().await;
        let broker = Broker::start(catalog(&[plan("small", true), plan("large", false)])).await;
        broker.always("provision", Reply::Is(201, json!({ "dashboard_url": "https://dash.example.com" })));
        broker.always("bind", Reply::Is(201, json!({ "credentials": { "password": SECRET } })));
        let job = admin.post("/v3/service_brokers", broker.registration("broker")).await.job();
        api.settle().await;
        assert_eq!(admin.get(&job).await.ok()["state"], "COMPLETE");
        for one in admin.get("/v3/service_plans").await.ok()["resources"].as_array().unwrap() {
            admin.post(&format!("/v3/service_plans/{}/visibility", guid(one)), json!({ "type": "public" })).await.ok();
        }
        let broker_guid = guid(&admin.get("/v3/service_brokers").await.ok()["resources"][0]);
        Scene { api, admin, developer, broker, broker_guid, org, space }
    }

    async fn plan(&self, name: &str) -> String {
        guid(&self.admin.get(&format!("/v3/service_plans?names={name}")).await.ok()["resources"][0])
    }

    async fn body(&self, name: &str, plan: &str) -> Value {
        let plan = self.plan(plan).await;
        let relationships = json!({ "space": to(&self.space), "service_plan": to(&plan) });
        json!({ "type": "managed", "name": name, "parameters": { "secret": SECRET }, "tags": ["mine"], "relationships": relationships })
    }

    /// Asks for an instance; its job.
    async fn create(&self, name: &str) -> String {
        self.developer.post("/v3/service_instances", self.body(name, "small").await).await.job()
    }

    /// An instance that is there; its guid.
    async fn created(&self, name: &str) -> String {
        let job = self.create(name).await;
        assert_eq!(self.ended(&job).await["state"], "COMPLETE");
        guid(&self.instance(name).await)
    }

    async fn instance(&self, name: &str) -> Value {
        self.developer.get(&format!("/v3/service_instances?names={name}")).await.ok()["resources"][0].clone()
    }

    async fn ended(&self, job: &str) -> Value {
        self.api.settle().await;
        self.developer.get(job).await.ok()
    }

    fn binding(instance: &str, app: AppGuid) -> Value {
        json!({ "type": "app", "relationships": { "app": to(&app), "service_instance": to(&instance) } })
    }

    fn key(instance: &str, name: &str) -> Value {
        json!({ "type": "key", "name": name, "relationships": { "service_instance": to(&instance) } })
    }

    async fn bind(&self, body: Value) -> String {
        self.developer.post("/v3/service_credential_bindings", body).await.job()
    }

    async fn only_binding(&self) -> Value {
        let page = self.developer.get("/v3/service_credential_bindings").await.ok();
        assert_eq!(page["pagination"]["total_results"], 1, "{page}");
        page["resources"][0].clone()
    }

    /// How many requests of this method went to something that ends so.
    fn said(&self, method: &str, part: &str) -> usize {
        self.broker.said().iter().filter(|what| what.starts_with(method) && what.contains(part)).count()
    }

    async fn total(&self, list: &str) -> Value {
        self.admin.get(list).await.ok()["pagination"]["total_results"].clone()
    }
}

fn state(resource: &Value) -> (String, String) {
    let last = &resource["last_operation"];
    (last["type"].as_str().unwrap().to_owned(), last["state"].as_str().unwrap().to_owned())
}

fn is(kind: &str, state: &str) -> (String, String) {
    (kind.to_owned(), state.to_owned())
}

#[tokio::test]
async fn an_instance_is_made_bound_read_and_deleted() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        let app = started_app(&api, "app", scene.space).await;
        let job = scene.create("db").await;
        assert_eq!(state(&scene.instance("db").await), is("create", "initial"));
        let ended = scene.ended(&job).await;
        assert_eq!((&ended["state"], &ended["operation"]), (&json!("COMPLETE"), &json!("service_instance.create")));
        let instance = scene.instance("db").await;
        let (path, instance_guid) = (format!("/v3/service_instances/{}", guid(&instance)), guid(&instance));
        assert!(ended["links"]["service_instance"]["href"].as_str().unwrap().ends_with(&path));
        assert_eq!((state(&instance), &instance["dashboard_url"]), (is("create", "succeeded"), &json!("https://dash.example.com")));
        assert_eq!((&instance["maintenance_info"]["version"], &instance["upgrade_available"]), (&json!("1.0.0"), &json!(false)));
        assert!(instance.get("syslog_drain_url").is_none());
        let asked = scene.broker.asked().into_iter().find(|asked| asked.what.starts_with("PUT")).unwrap().body;
        assert_eq!((&asked["service_id"], &asked["plan_id"]), (&json!("database-id"), &json!("small-id")));
        assert_eq!((&asked["parameters"]["secret"], &asked["context"]["instance_name"]), (&json!(SECRET), &json!("db")));
        assert_eq!(asked["context"]["space_guid"], json!(scene.space));
        assert_eq!(asked["maintenance_info"]["version"], "1.0.0");

        // What lists are asked for by the CLI.
        let fields = "fields[service_plan]=guid,name,relationships.service_offering&fields[service_plan.service_offering]=guid,name,\
                      relationships.service_broker&fields[service_plan.service_offering.service_broker]=guid,name";
        let listed = scene.developer.get(&format!("/v3/service_instances?{fields}")).await.ok();
        assert_eq!(listed["included"]["service_plans"][0]["name"], "small");
        assert_eq!(listed["included"]["service_offerings"][0]["name"], "database");
        assert_eq!(listed["included"]["service_brokers"][0], json!({ "guid": scene.broker_guid, "name": "broker" }));

        let job = scene.bind(Scene::binding(&instance_guid, app)).await;
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        let binding = scene.only_binding().await;
        assert_eq!(state(&binding), is("create", "succeeded"));
        let details = format!("/v3/service_credential_bindings/{}/details", guid(&binding));
        assert_eq!(scene.developer.get(&details).await.ok()["credentials"], json!({ "password": SECRET }));
        let bound = scene.developer.get(&format!("/v3/apps/{app}/env")).await.ok()["system_env_json"]["VCAP_SERVICES"].clone();
        let entry = &bound["database"][0];
        assert_eq!((&entry["plan"], &entry["name"], &entry["credentials"]["password"]), (&json!("small"), &json!("db"), &json!(SECRET)));
        assert_eq!((&entry["tags"], entry.get("provider")), (&json!(["sql", "mine"]), Some(&Value::Null)));
        let again = scene.developer.post("/v3/service_credential_bindings", Scene::binding(&instance_guid, app)).await;
        assert!(again.error(422).1.contains("The app is already bound to the service instance"));

        let job = scene.bind(Scene::key(&instance_guid, "k")).await;
        let ended = scene.ended(&job).await;
        assert_eq!((&ended["state"], &ended["operation"]), (&json!("COMPLETE"), &json!("service_keys.create")));
        let taken = scene.developer.post("/v3/service_credential_bindings", Scene::key(&instance_guid, "k")).await;
        assert!(taken.error(422).1.contains("Key binding names must be unique"));
        assert_eq!(scene.total("/v3/service_credential_bindings?service_plan_names=small&type=key").await, 1);
        assert_eq!(scene.total("/v3/service_credential_bindings?service_offering_names=other").await, 0);
        scene.broker.always("fetch", Reply::Is(200, json!({ "parameters": { "size": 3 } })));
        assert_eq!(scene.developer.get(&format!("{path}/parameters")).await.ok(), json!({ "size": 3 }));

        let job = scene.developer.delete(&path).await.job();
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        assert_eq!((scene.said("DELETE", "/service_bindings/"), scene.said("DELETE", "")), (2, 3));
        assert_eq!(scene.total("/v3/service_instances").await, 0);
        assert_eq!(scene.total("/v3/service_credential_bindings").await, 0);
        let usage = scene.admin.get("/v3/service_usage_events").await.ok();
        let usage = usage["resources"].as_array().unwrap();
        assert_eq!(usage.iter().map(|event| event["state"].as_str().unwrap()).collect::<Vec<_>>(), ["CREATED", "DELETED"]);
        assert_eq!((&usage[0]["service_plan"]["name"], &usage[0]["service_broker"]["name"]), (&json!("small"), &json!("broker")));
        let events = scene.admin.get("/v3/audit_events?per_page=500").await.ok().to_string();
        for kind in ["service_instance", "service_binding", "service_key"] {
            for verb in ["start_create", "create", "start_delete", "delete"] {
                assert!(events.contains(&format!("\"audit.{kind}.{verb}\"")), "{kind} {verb}");
            }
        }
        assert!(!events.contains(SECRET));
    })
    .await;
}

#[tokio::test]
async fn an_operation_that_goes_on_at_the_broker_is_asked_after_until_it_is_done() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        let app = started_app(&api, "app", scene.space).await;
        let going = |description: &str| Reply::Is(200, json!({ "state": "in progress", "description": description }));
        let done = || Reply::Is(200, json!({ "state": "succeeded" }));
        scene.broker.always("provision", Reply::Is(202, json!({ "operation": "op-1", "dashboard_url": "https://soon.example.com" })));
        scene.broker.answers("last_operation", vec![going("half"), Reply::Is(503, json!({})), Reply::Junk, done()]);
        let job = scene.create("db").await;
        assert_eq!(run_one_round(&api.controller).await.unwrap(), 1);
        assert_eq!(scene.developer.get(&job).await.ok()["state"], "POLLING");
        assert_eq!(run_one_round(&api.controller).await.unwrap(), 1);
        let instance = scene.instance("db").await;
        assert_eq!((state(&instance), &instance["last_operation"]["description"]), (is("create", "in progress"), &json!("half")));
        assert_eq!(instance["dashboard_url"], "https://soon.example.com");
        let path = format!("/v3/service_instances/{}", guid(&instance));
        let refused = scene.developer.patch(&path, json!({ "parameters": {} })).await;
        assert_eq!(refused.body["errors"][0]["title"], "CF-AsyncServiceInstanceOperationInProgress");
        assert_eq!(refused.error(409).0, 60016);
        let refused = scene.developer.post("/v3/service_credential_bindings", Scene::binding(&guid(&instance), app)).await.error(422);
        assert_eq!(refused.1, "There is an operation in progress for the service instance.");
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        assert_eq!((state(&scene.instance("db").await), scene.said("GET", "last_operation")), (is("create", "succeeded"), 4));

        scene.broker.always("bind", Reply::Is(202, json!({ "operation": "op-2" })));
        scene.broker.answers("last_operation", vec![going(""), done()]);
        scene.broker.always("fetch_binding", Reply::Is(200, json!({ "credentials": { "password": SECRET } })));
        let job = scene.bind(Scene::binding(&guid(&instance), app)).await;
        run_one_round(&api.controller).await.unwrap();
        let env = scene.developer.get(&format!("/v3/apps/{app}/env")).await.ok();
        assert_eq!(env["system_env_json"]["VCAP_SERVICES"], json!({}), "a binding that is not made is not to be seen");
        let binding = scene.only_binding().await;
        let details = format!("/v3/service_credential_bindings/{}/details", guid(&binding));
        scene.developer.get(&details).await.error(404);
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        assert_eq!(scene.developer.get(&details).await.ok()["credentials"], json!({ "password": SECRET }));

        // An update, and deletions in which the broker forgets what it was asked for: that is how they end.
        scene.broker.always("update", Reply::Is(202, json!({})));
        scene.broker.answers("last_operation", vec![going(""), done()]);
        let body = json!({ "name": "base", "relationships": { "service_plan": to(&scene.plan("large").await) } });
        let job = scene.developer.patch(&path, body).await.job();
        assert_eq!(state(&scene.instance("db").await), is("update", "initial"));
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        let asked = scene.broker.asked().into_iter().rfind(|asked| asked.what.starts_with("PATCH")).unwrap().body;
        assert_eq!((&asked["plan_id"], &asked["previous_values"]["plan_id"]), (&json!("large-id"), &json!("small-id")));
        assert_eq!(asked["context"]["instance_name"], "base");
        let changed = scene.instance("base").await;
        assert_eq!(
            (state(&changed), changed["relationships"]["service_plan"].clone()),
            (is("update", "succeeded"), to(&scene.plan("large").await))
        );
        for operation in ["unbind", "deprovision"] {
            scene.broker.always(operation, Reply::Is(202, json!({})));
        }
        scene.broker.answers("last_operation", vec![going(""), Reply::Is(410, json!({})), going(""), Reply::Is(410, json!({}))]);
        let job = scene.developer.delete(&path).await.job();
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        assert_eq!(scene.total("/v3/service_instances").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_broker_fails_at_can_be_read_and_repaired_and_leaves_nothing_there() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        // Status, whether the protocol's table wants the instance deleted, and what the user reads.
        let answers = [
            (Reply::Is(500, json!({ "description": "disk full" })), true, "disk full"),
            (Reply::Is(400, json!({ "description": "no such size" })), false, "no such size"),
            (Reply::Is(409, json!({})), false, ""),
            (Reply::Is(422, json!({ "error": "AsyncRequired" })), false, ""),
            // 200 says that the broker had it already: the table leaves it.
            (Reply::Junk, false, ""),
            (Reply::Hangs, true, "timed out"),
        ];
        for (index, (reply, is_orphan, words)) in answers.into_iter().enumerate() {
            let (name, what) = (format!("db{index}"), format!("{reply:?}"));
            let before = scene.said("DELETE", "");
            scene.broker.always("provision", reply);
            scene.broker.answers("deprovision", vec![Reply::Is(500, json!({})), Reply::Is(200, json!({}))]);
            let job = scene.create(&name).await;
            let ended = scene.ended(&job).await;
            assert_eq!(ended["state"], "FAILED", "{what}");
            assert_eq!(ended["errors"].as_array().unwrap().len(), 1, "{what}");
            let instance = scene.instance(&name).await;
            assert_eq!(state(&instance), is("create", "failed"), "{what}");
            let description = instance["last_operation"]["description"].as_str().unwrap();
            assert!(!description.is_empty() && description.contains(words), "{what}: {description}");
            // Once more, because the first attempt failed.
            assert_eq!(scene.said("DELETE", "") - before, if is_orphan { 2 } else { 0 }, "{what}");
            let path = format!("/v3/service_instances/{}", guid(&instance));
            scene.developer.patch(&path, json!({ "parameters": {} })).await.error(422);
            scene.broker.always("deprovision", Reply::Is(410, json!({})));
            let job = scene.developer.delete(&path).await.job();
            assert_eq!(scene.ended(&job).await["state"], "COMPLETE", "{what}");
        }
        assert_eq!(scene.total("/v3/service_instances").await, 0);

        // A deletion that fails leaves an instance that works, and can be asked for again.
        scene.broker.always("provision", Reply::Is(201, json!({})));
        let instance = scene.created("db").await;
        let path = format!("/v3/service_instances/{instance}");
        scene.broker.always("unbind", Reply::Is(500, json!({ "description": "busy" })));
        assert_eq!(scene.ended(&scene.bind(Scene::key(&instance, "k")).await).await["state"], "COMPLETE");
        let job = scene.developer.delete(&path).await.job();
        let ended = scene.ended(&job).await;
        assert_eq!(ended["state"], "FAILED");
        assert!(ended["errors"][0]["detail"].as_str().unwrap().contains("binding k to service instance db failed"), "{ended}");
        assert_eq!(
            (state(&scene.instance("db").await), state(&scene.only_binding().await)),
            (is("delete", "failed"), is("delete", "failed"))
        );
        scene.broker.always("unbind", Reply::Is(200, json!({})));
        scene.broker.always("deprovision", Reply::Is(500, json!({})));
        let job = scene.developer.delete(&path).await.job();
        assert_eq!(scene.ended(&job).await["state"], "FAILED");
        // The broker is gone for good: only an administrator may forget what it had.
        assert_eq!(scene.developer.delete(&format!("{path}?purge=true")).await.error(403).0, 10003);
        scene.admin.delete(&format!("{path}?purge=true")).await.expect(204);
        assert_eq!(scene.total("/v3/service_instances").await, 0);
    })
    .await;
}

#[tokio::test]
async fn credentials_are_rotated_by_one_more_binding() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        let app = started_app(&api, "app", scene.space).await;
        let instance = scene.created("db").await;
        let one_more = |name: &str| {
            let mut body = Scene::binding(&instance, app);
            (body["strategy"], body["name"]) = (json!("multiple"), json!(name));
            body
        };
        let bound = async || {
            let env = scene.developer.get(&format!("/v3/apps/{app}/env")).await.ok();
            env["system_env_json"]["VCAP_SERVICES"]["database"].as_array().unwrap().clone()
        };
        for number in 1..=5 {
            scene.broker.always("bind", Reply::Is(201, json!({ "credentials": { "number": number } })));
            let job = scene.bind(one_more("main")).await;
            assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
            let bound = bound().await;
            assert_eq!((bound.len(), &bound[0]["credentials"]["number"], &bound[0]["name"]), (1, &json!(number), &json!("main")));
        }
        let refused = async |body: Value| scene.developer.post("/v3/service_credential_bindings", body).await.error(422).1;
        assert!(refused(one_more("main")).await.contains("(limit: 5)"));
        let all = scene.developer.get("/v3/service_credential_bindings?order_by=created_at").await.ok();
        for old in &all["resources"].as_array().unwrap()[..4] {
            let job = scene.developer.delete(&format!("/v3/service_credential_bindings/{}", guid(old))).await.job();
            assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        }
        assert_eq!(bound().await[0]["credentials"]["number"], 5);
        assert!(refused(one_more("other")).await.contains("name cannot be changed"));
        assert_eq!(refused(Scene::binding(&instance, app)).await, "The app is already bound to the service instance");

        // An attempt that failed gives way, and one that goes on does not.
        scene.broker.always("bind", Reply::Is(400, json!({})));
        let job = scene.bind(one_more("main")).await;
        assert_eq!(scene.ended(&job).await["state"], "FAILED");
        assert_eq!(bound().await[0]["credentials"]["number"], 5);
        let job = scene.bind(one_more("main")).await;
        assert!(refused(one_more("main")).await.contains("already a binding in progress"));
        assert_eq!(scene.ended(&job).await["state"], "FAILED");
        assert_eq!(scene.total("/v3/service_credential_bindings").await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_operation_whose_job_cannot_go_on_has_failed_and_can_be_repaired() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        let instance = scene.created("db").await;
        let path = format!("/v3/service_instances/{instance}");
        let job = scene.developer.patch(&path, json!({ "parameters": { "size": 4 } })).await.job();
        // What the user wanted cannot be read any more.
        let mut tx = api.controller.store.begin().await.unwrap();
        let guid = job.rsplit('/').next().unwrap().parse().unwrap();
        let now = api.controller.now();
        virga_store::jobs::postpone(&mut tx, guid, &json!({ "input": "junk" }), now, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(scene.ended(&job).await["state"], "FAILED");
        assert_eq!(state(&scene.instance("db").await), is("update", "failed"));
        assert_eq!(scene.said("PATCH", ""), 0);
        let job = scene.developer.patch(&path, json!({ "parameters": { "size": 4 } })).await.job();
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        assert_eq!(state(&scene.instance("db").await), is("update", "succeeded"));
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_while_a_broker_makes_it_was_not_made() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        scene.broker.always("provision", Reply::Is(202, json!({})));
        scene.broker.always("last_operation", Reply::Is(200, json!({ "state": "in progress" })));
        let job = scene.create("db").await;
        let path = format!("/v3/service_instances/{}", guid(&scene.instance("db").await));
        // Nobody knows yet whether the broker was asked.
        assert_eq!(scene.developer.delete(&path).await.error(409).0, 60016);
        run_one_round(&api.controller).await.unwrap();
        let deletion = scene.developer.delete(&path).await.job();
        assert_eq!(scene.ended(&deletion).await["state"], "COMPLETE");
        let ended = scene.developer.get(&job).await.ok();
        assert_eq!(ended["state"], "FAILED");
        assert_eq!((scene.total("/v3/service_instances").await, scene.said("DELETE", "")), (json!(0), 1));
    })
    .await;
}

#[tokio::test]
async fn an_operation_that_takes_longer_than_its_plan_allows_has_failed() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        let mut slow = plan("small", true);
        slow["maximum_polling_duration"] = json!(0);
        scene.broker.always("catalog", Reply::Is(200, catalog(&[slow, plan("large", false)])));
        let job = scene.admin.patch(&format!("/v3/service_brokers/{}", scene.broker_guid), json!({ "url": scene.broker.url })).await.job();
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        scene.broker.always("provision", Reply::Is(202, json!({})));
        scene.broker.always("last_operation", Reply::Is(200, json!({ "state": "in progress" })));
        let job = scene.create("db").await;
        let ended = scene.ended(&job).await;
        assert_eq!(ended["state"], "FAILED");
        let detail = ended["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("was not done within the 0 seconds"), "{detail}");
        assert_eq!((state(&scene.instance("db").await), scene.said("DELETE", "")), (is("create", "failed"), 1));
    })
    .await;
}

#[tokio::test]
async fn a_platform_that_is_cut_off_at_every_step_comes_to_the_same_end() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        let app = started_app(&api, "app", scene.space).await;
        let going = || Reply::Is(200, json!({ "state": "in progress" }));
        scene.broker.always("provision", Reply::Is(202, json!({ "operation": "op" })));
        scene.broker.answers("last_operation", vec![going(), going(), Reply::Is(200, json!({ "state": "succeeded" }))]);
        let cut = async || {
            let mut cut_off = 0;
            for steps in 1.. {
                let work = Crashing { work: Box::pin(run_one_round(&api.controller)), steps };
                match work.await.map(Result::unwrap) {
                    None => cut_off += 1,
                    Some(0) => break,
                    Some(_) => {}
                }
            }
            cut_off
        };
        let job = scene.create("db").await;
        let cut_off = cut().await;
        assert!(cut_off > 2, "it was cut off {cut_off} times only");
        assert_eq!(scene.developer.get(&job).await.ok()["state"], "COMPLETE");
        let instance = scene.instance("db").await;
        assert_eq!(state(&instance), is("create", "succeeded"));
        let made: std::collections::HashSet<String> = scene.broker.said().into_iter().filter(|what| what.starts_with("PUT")).collect();
        assert_eq!(made.len(), 1, "asked again for the same: {made:?}");
        assert_eq!(scene.said("DELETE", ""), 0);

        let job = scene.bind(Scene::binding(&guid(&instance), app)).await;
        assert!(cut().await > 0);
        assert_eq!(scene.developer.get(&job).await.ok()["state"], "COMPLETE");
        assert_eq!(state(&scene.only_binding().await), is("create", "succeeded"));

        let job = scene.developer.delete(&format!("/v3/spaces/{}", scene.space)).await.error(403);
        assert_eq!(job.0, 10003);
        let job = scene.admin.delete(&format!("/v3/spaces/{}", scene.space)).await.job();
        assert!(cut().await > 0);
        assert_eq!(scene.admin.get(&job).await.ok()["state"], "COMPLETE");
        for list in ["service_instances", "service_credential_bindings", "apps"] {
            assert_eq!(scene.total(&format!("/v3/{list}")).await, 0, "{list}");
        }
        assert!(scene.said("DELETE", "/service_bindings/") >= 1 && scene.said("DELETE", "") > scene.said("DELETE", "/service_bindings/"));
    })
    .await;
}

#[tokio::test]
async fn quotas_hold_for_instances_paid_plans_and_keys() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        let services = json!({ "paid_services_allowed": false, "total_service_instances": 1, "total_service_keys": 1 });
        let quota = json!({ "name": "q", "services": services, "relationships": { "organizations": { "data": [{ "guid": scene.org }] } } });
        scene.admin.post("/v3/organization_quotas", quota).await.created();
        let refused = scene.developer.post("/v3/service_instances", scene.body("paid", "large").await).await.error(422);
        assert_eq!(refused.1, "The service instance cannot be created because paid service plans are not allowed.");
        let instance = scene.created("db").await;
        let refused = scene.developer.post("/v3/service_instances", scene.body("second", "small").await).await.error(422);
        assert_eq!(refused.1, "You have exceeded your organization's services limit.");
        let body = json!({ "relationships": { "service_plan": to(&scene.plan("large").await) } });
        scene.developer.patch(&format!("/v3/service_instances/{instance}"), body).await.error(422);
        assert_eq!(scene.ended(&scene.bind(Scene::key(&instance, "k")).await).await["state"], "COMPLETE");
        let refused = scene.developer.post("/v3/service_credential_bindings", Scene::key(&instance, "l")).await.error(422);
        assert_eq!(refused.1, "You have exceeded your organization's limit for service keys.");
        let usage = scene.admin.get(&format!("/v3/organizations/{}/usage_summary", scene.org)).await.ok();
        assert_eq!((&usage["usage_summary"]["service_instances"], &usage["usage_summary"]["service_keys"]), (&json!(1), &json!(1)));
        assert_eq!(scene.total("/v3/service_instances").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_instance_is_shared_and_what_is_in_use_does_not_go() {
    on_both(|store| async move {
        let api = Api::start(store).await;
        let scene = Scene::set(&api).await;
        scene.admin.patch("/v3/feature_flags/service_instance_sharing", json!({ "enabled": true })).await.ok();
        let (org, there) = api.org_and_space("there").await;
        let neighbour = api.user_who_is(RoleType::SpaceDeveloper, org, there).await;
        let app = started_app(&api, "app", there).await;
        let instance = scene.created("db").await;
        let path = format!("/v3/service_instances/{instance}");
        neighbour.get(&path).await.error(404);
        let shares = format!("{path}/relationships/shared_spaces");
        scene.developer.post(&shares, json!({ "data": [{ "guid": there }] })).await.error(422);
        scene.admin.post(&shares, json!({ "data": [{ "guid": there }] })).await.ok();
        let seen = neighbour.get(&format!("/v3/service_instances?space_guids={there}")).await.ok();
        assert_eq!(seen["resources"][0]["name"], "db");
        assert_eq!(neighbour.get(&path).await.ok()["name"], "db");
        neighbour.delete(&path).await.error(404);
        let job = neighbour.post("/v3/service_credential_bindings", Scene::binding(&instance, app)).await.job();
        api.settle().await;
        assert_eq!(neighbour.get(&job).await.ok()["state"], "COMPLETE");
        let asked = scene.broker.asked().into_iter().rfind(|asked| asked.what.starts_with("PUT")).unwrap().body;
        assert_eq!((&asked["bind_resource"]["space_guid"], &asked["context"]["space_guid"]), (&json!(there), &json!(scene.space)));
        let usage = scene.developer.get(&format!("{shares}/usage_summary")).await.ok();
        assert_eq!(usage["usage_summary"], json!([{ "space": { "guid": there }, "bound_app_count": 1 }]));

        // Nothing that somebody uses goes.
        let refused = scene.developer.delete(&path).await;
        assert_eq!(refused.error(422).0, 390002);
        let refused = scene.admin.delete(&format!("/v3/service_brokers/{}", scene.broker_guid)).await.error(422);
        assert_eq!(refused, (270010, "Cannot remove brokers that have associated service instances: broker".to_owned()));
        scene.broker.always("catalog", Reply::Is(200, catalog(&[plan("large", false)])));
        let job = scene.admin.patch(&format!("/v3/service_brokers/{}", scene.broker_guid), json!({ "url": scene.broker.url })).await.job();
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        let small = scene.admin.get("/v3/service_plans?names=small").await.ok()["resources"][0].clone();
        assert_eq!(small["available"], false);
        assert!(scene.developer.post("/v3/service_instances", scene.body("more", "small").await).await.error(422).1.contains("removed"));

        scene.admin.delete(&format!("{shares}/{there}")).await.expect(204);
        api.settle().await;
        assert_eq!((scene.total("/v3/service_credential_bindings").await, scene.said("DELETE", "/service_bindings/")), (json!(0), 1));
        let job = scene.developer.delete(&path).await.job();
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        let job = scene.admin.delete(&format!("/v3/service_brokers/{}", scene.broker_guid)).await.job();
        assert_eq!(scene.ended(&job).await["state"], "COMPLETE");
        assert_eq!(scene.total("/v3/service_plans").await, 0);
    })
    .await;
}
