const express = require('express');

const app = express();
let counted = 0;
app.use(express.json());

app.get('/', (request, response) => {
  console.log(`hello to ${request.ip}`);
  response.send('Hello from Express on Virga\n');
});

app.get('/env', (request, response) => response.json(process.env));

app.get('/env/:name', (request, response) => {
  const value = process.env[request.params.name];
  if (value === undefined) response.status(404).send('not set\n');
  else response.type('text').send(value);
});

app.post('/echo', express.raw({ type: () => true, limit: '4mb' }), (request, response) => {
  response.type(request.get('content-type') ?? 'application/octet-stream').send(request.body);
});

app.get('/stream', async (request, response) => {
  response.type('text/event-stream');
  for (let piece = 1; piece <= 3; piece++) {
    response.write(`data: piece ${piece}\n\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  response.end();
});

app.get('/random', (request, response) => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  response.type('text').send(Buffer.from(bytes).toString('hex'));
});

app.get('/count', (request, response) => {
  counted += 1;
  response.type('text').send(String(counted));
});

app.post('/json', (request, response) => response.json({ received: request.body }));

app.get('/cookie', (request, response) => response.cookie('one', '1').cookie('two', '2').send('cookies'));

app.get('/fail', () => {
  throw new Error('this route always fails');
});

const port = process.env.PORT || 3000;
app.listen(port, () => console.log(`listening on ${port}`));
