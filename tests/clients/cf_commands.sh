#!/usr/bin/env bash
# Runs the stock `cf` command line against a platform: the commands that developers and operators use (without brokers,
# SSH and docker), as administrator, manager of an organization, developer and auditor. Of each the exit code and a telling
# line are checked. Prints every failure, and a count at the end.
#   tests/clients/cf_commands.sh CF URL PASSWORD      CF: the program; PASSWORD: of the user admin
set -uo pipefail
cf_program="$1" url="$2" password="$3"
work="$(mktemp -d /tmp/cf-commands.XXXXXX)"
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 who=admin
declare -A covered=()
tag="t$RANDOM"

run() { # arguments of cf; output in $output, status in $status
    output="$(CF_HOME="$work/$who" CF_COLOR=false timeout 180 "$cf_program" "$@" 2>&1 <<<y)"
    status=$?
    covered["$1"]=1
}

verdict() { # expected status, pattern, arguments
    local expected="$1" pattern="$2"
    shift 2
    if [ "$status" = "$expected" ] && grep -qE -- "$pattern" <<<"$output"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED as %s: cf %s\n  status %s (expected %s), expected line: %s\n' "$who" "$*" "$status" "$expected" "$pattern"
        tail -n 12 <<<"$output" | sed 's/^/  | /'
    fi
}

ok() { # pattern, arguments: must succeed
    local pattern="$1"
    shift
    run "$@"
    verdict 0 "$pattern" "$@"
}

no() { # pattern, arguments: must be refused
    local pattern="$1"
    shift
    run "$@"
    verdict 1 "$pattern" "$@"
}

as() { who="$1"; mkdir -p "$work/$who"; }

later() { # seconds, pattern, arguments: must come true
    local deadline=$((SECONDS + $1)) pattern="$2"
    shift 2
    while :; do
        run "$@"
        { [ "$status" = 0 ] && grep -qE -- "$pattern" <<<"$output"; } || [ "$SECONDS" -ge "$deadline" ] && break
        sleep 0.2
    done
    verdict 0 "$pattern" "$@"
}

mkdir "$work/site" "$work/other"
printf '<h1>one</h1>' >"$work/site/index.html"
printf '<h1>two</h1>' >"$work/other/index.html"
touch "$work/site/Staticfile" "$work/other/Staticfile"
domain="$tag.example.com"
org="$tag-org" space="$tag-space" app="$tag-app"

# Targeting.
as admin
ok 'OK' api "$url" --skip-ssl-validation
ok 'Authenticating' auth admin "$password"
ok 'API endpoint' login -a "$url" -u admin -p "$password" --skip-ssl-validation
ok 'version' version
ok 'user: *admin' target
ok '^bearer ' oauth-token
ok '"links"' curl /v3
ok 'USAGE' help push
no 'FAILED|failed' auth admin wrong-password
ok 'OK' auth admin "$password"

# Organizations, spaces, quotas.
ok 'OK' create-org "$org"
ok 'already exists|OK' create-org "$org"
ok "$org" orgs
ok "name: *$org" org "$org"
ok 'OK' create-org "$tag-spare"
ok 'OK' rename-org "$tag-spare" "$tag-other"
ok 'OK' create-space "$space" -o "$org"
ok 'OK' create-space "$tag-spare" -o "$org"
ok "space: *$space" target -o "$org" -s "$space"
ok "$space" spaces
ok "name: *$space" space "$space"
ok 'OK' rename-space "$tag-spare" "$tag-second"
ok 'OK' create-org-quota "$tag-quota" -m 10G -i 1G -r 100 -a 100
ok "$tag-quota" org-quotas
ok "$tag-quota" org-quota "$tag-quota"
ok 'OK' update-org-quota "$tag-quota" -r 200
ok 'OK' set-org-quota "$org" "$tag-quota"
ok 'OK' create-space-quota "$tag-space-quota" -m 4G -r 50
ok "$tag-space-quota" space-quotas
ok "$tag-space-quota" space-quota "$tag-space-quota"
ok 'OK' update-space-quota "$tag-space-quota" -m 5G
ok 'OK' set-space-quota "$space" "$tag-space-quota"
ok 'OK' unset-space-quota "$space" "$tag-space-quota"
ok 'OK' delete-space-quota "$tag-space-quota" -f

# Users and roles.
for user in manager developer auditor; do ok 'OK' create-user "$tag-$user" "secret-$tag"; done
ok 'already exists|OK' create-user "$tag-developer" "secret-$tag"
ok 'OK' set-org-role "$tag-manager" "$org" OrgManager
ok 'OK' set-org-role "$tag-auditor" "$org" OrgAuditor
ok 'OK' set-space-role "$tag-developer" "$org" "$space" SpaceDeveloper
ok 'OK' set-space-role "$tag-developer" "$org" "$tag-second" SpaceDeveloper
ok 'OK' set-space-role "$tag-auditor" "$org" "$space" SpaceAuditor
ok 'OK' set-space-role "$tag-auditor" "$org" "$space" SpaceManager
ok 'OK' unset-space-role "$tag-auditor" "$org" "$space" SpaceManager
ok 'OK' set-org-role "$tag-auditor" "$org" BillingManager
ok 'OK' unset-org-role "$tag-auditor" "$org" BillingManager
ok "$tag-manager" org-users "$org"
ok "$tag-developer" space-users "$org" "$space"

# The platform.
ok 'task_creation' feature-flags
ok 'enabled' feature-flag task_creation
ok 'OK' disable-feature-flag task_creation
ok 'OK' enable-feature-flag task_creation
ok 'OK' enable-feature-flag route_sharing
ok 'cflinuxfs4|name' stacks
ok 'position|name' buildpacks
printf 'builder: staticfile\n' >"$work/virga-buildpack.yml"
(cd "$work" && python3 -m zipfile -c buildpack.zip virga-buildpack.yml)
ok 'OK' create-buildpack "$tag-buildpack" "$work/buildpack.zip" 9
ok "$tag-buildpack" buildpacks
ok 'OK' update-buildpack "$tag-buildpack" --disable --position 8
ok 'OK' update-buildpack "$tag-buildpack" --lock
ok 'OK' update-buildpack "$tag-buildpack" --unlock
ok 'OK' delete-buildpack "$tag-buildpack" -f
ok 'OK|Setting' set-running-environment-variable-group '{"RUNNING":"1"}'
ok 'RUNNING' running-environment-variable-group
ok 'OK|Setting' set-staging-environment-variable-group '{"STAGING":"1"}'
ok 'STAGING' staging-environment-variable-group
printf '[{"protocol":"tcp","destination":"192.0.2.0/24","ports":"443"}]' >"$work/rules.json"
ok 'OK' create-security-group "$tag-group" "$work/rules.json"
ok "$tag-group" security-groups
ok '192.0.2.0/24' security-group "$tag-group"
ok 'OK' update-security-group "$tag-group" "$work/rules.json"
ok 'OK' bind-security-group "$tag-group" "$org" --space "$space"
ok 'OK' unbind-security-group "$tag-group" "$org" "$space"
ok 'OK' bind-running-security-group "$tag-group"
ok "$tag-group" running-security-groups
ok 'OK' unbind-running-security-group "$tag-group"
ok 'OK' bind-staging-security-group "$tag-group"
ok "$tag-group" staging-security-groups
ok 'OK' unbind-staging-security-group "$tag-group"
ok 'OK' delete-security-group "$tag-group" -f
ok 'OK' create-isolation-segment "$tag-segment"
ok "$tag-segment" isolation-segments
ok 'OK' enable-org-isolation "$org" "$tag-segment"
ok 'OK' set-org-default-isolation-segment "$org" "$tag-segment"
ok 'OK' reset-org-default-isolation-segment "$org"
ok 'OK' set-space-isolation-segment "$space" "$tag-segment"
ok 'OK' reset-space-isolation-segment "$space"
ok 'OK' disable-org-isolation "$org" "$tag-segment"
ok 'OK' delete-isolation-segment "$tag-segment" -f
ok 'default-tcp|name' router-groups

# Domains.
ok 'OK' create-shared-domain "shared-$domain"
ok 'OK' create-private-domain "$org" "$domain"
ok "$domain" domains
ok 'OK' share-private-domain "$tag-other" "$domain"
ok 'OK' unshare-private-domain "$tag-other" "$domain"
ok 'OK' delete-shared-domain "shared-$domain" -f

# A developer's day.
as developer
ok 'OK' api "$url" --skip-ssl-validation
ok 'OK' auth "$tag-developer" "secret-$tag"
ok "space: *$space" target -o "$org" -s "$space"
ok 'running|#0' push "$app" -p "$work/site" -m 64M -k 128M
ok "$app" apps
ok "#0 *running" app "$app"
ok '[0-9a-f-]{36}' app "$app" --guid
ok 'web:1/1|web' apps
ok 'OUT|STG|API' logs "$app" --recent
ok 'audit.app|time' events "$app"
ok 'OK' set-env "$app" COLOUR blue
ok 'COLOUR: *blue' env "$app"
ok 'OK' unset-env "$app" COLOUR
ok 'running|#0' restage "$app"
ok 'running|#0' restart "$app"
ok 'running|#0' restart "$app" --strategy rolling
ok '2/2|running|#1' scale "$app" -i 2
ok 'instances|1G|64M' scale "$app"
ok 'OK' restart-app-instance "$app" 1
ok 'running|1/1|#0' scale "$app" -i 1 -m 96M -f
ok 'health check type' get-health-check "$app"
ok 'OK|Updating' set-health-check "$app" http --endpoint /
ok 'http' get-health-check "$app"
ok 'health check type|readiness' get-readiness-health-check "$app"
ok 'OK' stop "$app"
ok 'running|#0' start "$app"
ok 'packages|guid|READY' packages "$app"
ok 'droplets|STAGED|guid' droplets "$app"
ok 'OK|Successfully' download-droplet "$app" -p "$work/droplet.tgz"
droplet="$(CF_HOME="$work/developer" "$cf_program" droplets "$app" 2>/dev/null | grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' | head -n 1)"
ok 'OK' set-droplet "$app" "$droplet"
ok 'OK' create-app-manifest "$app" -p "$work/manifest.yml"
ok 'OK|Updated|Applying' apply-manifest -f "$work/manifest.yml"
ok 'running|#0' push "$app" -p "$work/other" --strategy rolling
ok 'revision' revisions "$app"
ok 'revision' revision "$app" --version 1
ok 'running|#0' rollback "$app" --version 1 -f
ok 'running|#0|Deploying|paused' push "$app" -p "$work/site" --strategy canary --instance-steps 50 --no-wait
later 60 'ACTIVE|PAUSED|canary|running' app "$app"
run continue-deployment "$app"
verdict "$status" 'OK|Continuing|deployment' continue-deployment "$app"
later 120 '#0 *running' app "$app"
ok 'First instance|OK|running' restart "$app" --strategy rolling --no-wait
run cancel-deployment "$app"
verdict "$status" 'OK|Cancel|deployment|No active' cancel-deployment "$app"
ok 'Task has been submitted|OK' run-task "$app" --command "true" --name "$tag-task"
ok "$tag-task" tasks "$app"
ok "$tag-task" task "$app" 1
run terminate-task "$app" 1
verdict "$status" 'OK|state is SUCCEEDED|state is FAILED' terminate-task "$app" 1
ok 'OK' set-label app "$app" env=prod
ok 'env' labels app "$app"
ok 'OK' unset-label app "$app" env
ok 'disabled|enabled' ssh-enabled "$app"
no 'not available' enable-ssh "$app"
ok 'OK|disabled' disable-ssh "$app"
ok 'OK|[Nn]o output|enabled|disabled|not' space-ssh-allowed "$space"
no 'FAILED|not supported|disabled|refused|SSH|ssh' ssh "$app"

# Routes.
ok 'OK' create-route "$domain" --hostname one
ok 'already exists|OK' create-route "$domain" --hostname one
ok 'one' routes
ok "one.$domain" route "$domain" --hostname one
ok 'exists|OK' check-route "$domain" --hostname one
ok 'OK' map-route "$app" "$domain" --hostname one
ok 'OK' map-route "$app" "$domain" --hostname two --path /p
ok 'OK' update-route "$domain" --hostname one --option loadbalancing=least-connection
ok 'OK' update-destination "$app" "$domain" --hostname one --app-protocol http2
ok 'OK' share-route "$domain" --hostname one -s "$tag-second"
ok 'OK' unshare-route "$domain" --hostname one -s "$tag-second"
ok 'OK' unmap-route "$app" "$domain" --hostname one
ok 'OK' move-route "$domain" --hostname one -s "$tag-second"
ok 'OK' delete-route "$domain" --hostname two --path /p -f
ok 'OK' create-route "$domain" --hostname orphan
ok 'OK' delete-orphaned-routes -f

# Network policies, copies, bare apps, names.
ok 'OK' create-app "$tag-bare"
ok 'OK' add-network-policy "$app" "$tag-bare" --protocol tcp --port 8080
ok "$tag-bare" network-policies
ok 'OK' remove-network-policy "$app" "$tag-bare" --protocol tcp --port 8080
ok 'OK|running|Staging|#0' copy-source "$app" "$tag-bare"
ok 'guid|OK' create-package "$tag-bare" -p "$work/site"
package="$(grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$output" | tail -n 1)"
ok 'staged|guid|OK' stage-package "$tag-bare" --package-guid "$package"
ok 'OK' rename "$tag-bare" "$tag-renamed"
ok 'OK' delete "$tag-renamed" -f -r
no 'not found' app "$tag-renamed"

# Services of one's own.
service="$tag-db"
ok 'OK' create-user-provided-service "$service" -p '{"password":"p1"}' -t "sql,relational" -l syslog-tls://logs.example.com:6514
ok 'already exists' cups "$service" -p '{}'
no 'Route service url must be https' cups "$tag-proxy" -r http://proxy.example.com
ok 'OK' cups "$tag-proxy" -r https://proxy.example.com
ok "$service +user-provided" services
ok 'tags: +sql, relational' service "$service"
ok '[0-9a-f-]{36}' service "$service" --guid
ok 'services: .*'"$service" space "$space"
ok 'OK' bind-service "$app" "$service" --binding-name main
ok 'is already bound to service instance' bind-service "$app" "$service"
no 'parameters are not supported' bind-service "$app" "$tag-proxy" -c '{"a":1}'
ok '"password": "p1"' env "$app"
ok "$service .*$app" services
ok "$app +main +create succeeded" service "$service"
ok 'OK' update-user-provided-service "$service" -p '{"password":"p2"}' -t ''
ok '"password": "p2"' env "$app"
ok 'OK' rename-service "$service" "$service-renamed"
service="$service-renamed"
ok '"instance_name": "'"$service" env "$app"
no "not supported for user-provided" create-service-key "$service" key
ok 'No service keys' service-keys "$service"
ok 'running|#0' restart "$app"
printf -- '---\napplications:\n- name: %s\n  services: [%s, {name: %s, binding_name: proxy}]\n' "$app" "$service" "$tag-proxy" >"$work/services.yml"
ok 'OK|Updated|Applying' apply-manifest -f "$work/services.yml"
ok '"binding_name": "proxy"' env "$app"
ok 'OK' create-app-manifest "$app" -p "$work/manifest.yml"
grep -q "^  - $service\$" "$work/manifest.yml"; status=$?
verdict 0 '' create-app-manifest "with services"
printf -- '---\napplications:\n- name: %s\n  services: [%s]\n' "$app" "$tag-missing" >"$work/services.yml"
no "Service instance '$tag-missing' not found" apply-manifest -f "$work/services.yml"
ok 'OK' unbind-service "$app" "$service"
ok 'does not exist' unbind-service "$app" "$service"
ok 'OK' bind-service "$app" "$service"
ok 'No service offerings found' marketplace
no 'could not be found' create-service none small "$tag-none"
ok 'deleted' delete-service "$tag-proxy" -f
ok 'did not exist' delete-service "$tag-proxy" -f
ok 'did not exist' purge-service-instance "$tag-proxy" -f

# What a developer may not.
no 'not authorized|Not authorized|403|permission' create-org "$tag-mine"
no 'not authorized|Not authorized|403' delete-org "$org" -f
no 'not authorized|Not authorized|403' create-space "$tag-mine" -o "$org"
no 'not authorized|Not authorized|403' set-space-role "$tag-auditor" "$org" "$space" SpaceDeveloper
no 'not authorized|Not authorized|403' disable-feature-flag task_creation
no 'not found' target -o "$tag-other"

# An auditor reads.
as auditor
ok 'OK' api "$url" --skip-ssl-validation
ok 'OK' auth "$tag-auditor" "secret-$tag"
ok "space: *$space" target -o "$org" -s "$space"
ok "$app" apps
ok '#0' app "$app"
ok 'audit.app' events "$app"
ok "$domain" domains
no 'not authorized|Not authorized|403' env "$app"
no 'not authorized|Not authorized|403' stop "$app"
no 'not authorized|Not authorized|403' delete "$app" -f
no 'not authorized|Not authorized|403' push "$tag-mine" -p "$work/site"
no 'not authorized|Not authorized|403' create-route "$domain" --hostname three
ok "$service" services
no 'not authorized|Not authorized|403' cups "$tag-mine" -p '{}'
no 'not authorized|Not authorized|403' unbind-service "$app" "$service"
no 'not authorized|Not authorized|403' delete-service "$service" -f

# A manager manages.
as manager
ok 'OK' api "$url" --skip-ssl-validation
ok 'OK' auth "$tag-manager" "secret-$tag"
ok "org: *$org" target -o "$org"
ok 'OK' create-space "$tag-third"
ok 'OK' set-space-role "$tag-auditor" "$org" "$tag-third" SpaceDeveloper
ok 'OK' unset-space-role "$tag-auditor" "$org" "$tag-third" SpaceDeveloper
ok 'OK' allow-space-ssh "$tag-third"
ok 'OK' disallow-space-ssh "$tag-third"
ok 'OK' create-private-domain "$org" "managed-$domain"
ok 'OK' delete-private-domain "managed-$domain" -f
ok 'OK' delete-space "$tag-third" -f
no 'not authorized|Not authorized|403' create-org-quota "$tag-mine"
ok "space: *$space" target -s "$space"
no 'not authorized|Not authorized|403' stop "$app"
ok 'OK' logout
no 'Not logged in' orgs

# The end: everything goes.
as developer
ok "space: *$space" target -o "$org" -s "$space"
ok 'OK' delete "$app" -f
ok 'OK' logout
as admin
ok "org: *$org" target -o "$org"
ok 'OK' delete-org "$org" -f
ok 'OK' delete-org "$tag-other" -f
ok 'OK' delete-org-quota "$tag-quota" -f
for user in manager developer auditor; do ok 'OK' delete-user "$tag-$user" -f; done
run org "$org"
verdict 1 'not found' org "$org"
ok 'OK|Setting' set-running-environment-variable-group '{}'
ok 'OK|Setting' set-staging-environment-variable-group '{}'
ok 'OK' disable-feature-flag route_sharing

printf '%s: %s passed, %s failed; %s different commands\n' "$("$cf_program" version)" "$passed" "$failed" "${#covered[@]}"
[ "$failed" = 0 ]
