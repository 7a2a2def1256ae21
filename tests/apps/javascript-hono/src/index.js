import { Hono } from 'hono';

const app = new Hono();
let counted = 0;

app.get('/', (c) => {
  console.log(`hello to ${c.req.header('user-agent')}`);
  return c.text('Hello from Hono on Virga\n');
});

app.get('/env', (c) => c.json(process.env));

app.get('/env/:name', (c) => {
  const value = process.env[c.req.param('name')];
  return value === undefined ? c.text('not set\n', 404) : c.text(value);
});

app.get('/json/:name', (c) => c.json({ hello: c.req.param('name') }));

app.post('/echo', async (c) => {
  const type = c.req.header('content-type') ?? 'application/octet-stream';
  return c.body(await c.req.arrayBuffer(), 200, { 'content-type': type });
});

app.get('/stream', () => {
  let left = 3;
  const body = new ReadableStream({
    async pull(controller) {
      if (left === 0) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.enqueue(new TextEncoder().encode(`piece ${left--}\n`));
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/plain' } });
});

app.get('/random', (c) => c.text(Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex')));

app.get('/count', (c) => {
  counted += 1;
  return c.text(String(counted));
});

app.get('/fail', () => {
  throw new Error('this route always fails');
});

export default app;
