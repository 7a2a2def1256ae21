"""A service broker over openbrokerapi, a library of others: it speaks the protocol, what is here only says what there is.

Prints its port, then serves until it is ended. `GET /state` tells what it has. Everything about the plan `slow` goes on after the answer.
"""

import logging
import threading

from flask import Flask, jsonify
from openbrokerapi import api, errors
from openbrokerapi.catalog import ServicePlan
from openbrokerapi.service_broker import (
    Binding,
    BindState,
    DeprovisionServiceSpec,
    LastOperation,
    OperationState,
    ProvisionedServiceSpec,
    ProvisionState,
    Service,
    ServiceBroker,
    UnbindSpec,
    UpdateServiceSpec,
)
from werkzeug.serving import make_server

SLOW = "plan-2"


class Databases(ServiceBroker):
    """Instances and bindings in memory."""

    def __init__(self):
        self.lock = threading.Lock()
        self.instances = {}
        self.bindings = {}
        self.asked = {}

    def catalog(self):
        plans = [
            ServicePlan(id="plan-1", name="small", description="A small database"),
            ServicePlan(id=SLOW, name="slow", description="One that takes its time"),
        ]
        return Service(
            id="service-1", name="databases", description="Databases", bindable=True, plans=plans, tags=["sql"], plan_updateable=True
        )

    def provision(self, instance_id, details, async_allowed, **_):
        with self.lock:
            known = self.instances.get(instance_id)
            if known is not None and known != details.plan_id:
                raise errors.ErrInstanceAlreadyExists()
            self.instances[instance_id] = details.plan_id
            if details.plan_id == SLOW:
                self.asked.setdefault(instance_id, 0)
                return ProvisionedServiceSpec(state=ProvisionState.IS_ASYNC, operation="create")
            state = ProvisionState.SUCCESSFUL_CREATED if known is None else ProvisionState.IDENTICAL_ALREADY_EXISTS
            return ProvisionedServiceSpec(state=state)

    def update(self, instance_id, details, async_allowed, **_):
        with self.lock:
            if instance_id not in self.instances:
                raise errors.ErrInstanceDoesNotExist()
            self.instances[instance_id] = details.plan_id or self.instances[instance_id]
            return UpdateServiceSpec(is_async=False)

    def last_operation(self, instance_id, operation_data, service_id, plan_id, **_):
        with self.lock:
            self.asked[instance_id] = self.asked.get(instance_id, 0) + 1
            done = self.asked[instance_id] > 2
            return LastOperation(state=OperationState.SUCCEEDED if done else OperationState.IN_PROGRESS, description="working")

    def bind(self, instance_id, binding_id, details, async_allowed, **_):
        with self.lock:
            if instance_id not in self.instances:
                raise errors.ErrInstanceDoesNotExist()
            known = binding_id in self.bindings
            self.bindings[binding_id] = instance_id
            state = BindState.IDENTICAL_ALREADY_EXISTS if known else BindState.SUCCESSFUL_BOUND
            return Binding(state=state, credentials={"password": f"of-{binding_id}"})

    def unbind(self, instance_id, binding_id, details, async_allowed, **_):
        with self.lock:
            if self.bindings.pop(binding_id, None) is None:
                raise errors.ErrBindingDoesNotExist()
            return UnbindSpec(is_async=False)

    def deprovision(self, instance_id, details, async_allowed, **_):
        with self.lock:
            assert instance_id not in self.bindings.values()
            if self.instances.pop(instance_id, None) is None:
                raise errors.ErrInstanceDoesNotExist()
            return DeprovisionServiceSpec(is_async=False)


databases = Databases()
app = Flask(__name__)
app.register_blueprint(api.get_blueprint(databases, api.BrokerCredentials("platform", "secret"), logging.getLogger("broker")))


@app.get("/state")
def state():
    """What it has."""
    with databases.lock:
        return jsonify({"instances": databases.instances, "bindings": databases.bindings})


server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
