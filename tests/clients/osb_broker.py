"""A service broker over openbrokerapi, a library of others: it speaks the protocol, what is here only says what there is.

Prints its port, then serves until it is ended.
"""

import logging

from flask import Flask
from openbrokerapi import api
from openbrokerapi.catalog import ServicePlan
from openbrokerapi.service_broker import Service, ServiceBroker
from werkzeug.serving import make_server


class Databases(ServiceBroker):
    """Offers, and keeps nothing."""

    def catalog(self):
        plans = [ServicePlan(id="plan-1", name="small", description="A small database")]
        return Service(id="service-1", name="databases", description="Databases", bindable=True, plans=plans, tags=["sql"])


app = Flask(__name__)
app.register_blueprint(api.get_blueprint(Databases(), api.BrokerCredentials("platform", "secret"), logging.getLogger("broker")))
server = make_server("127.0.0.1", 0, app)
print(server.server_port, flush=True)
server.serve_forever()
