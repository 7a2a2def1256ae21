import { Hono } from 'hono';

const app = new Hono();
let served = 0;

app.get('/', (c) => {
  served += 1;
  console.log(`hello number ${served} of this wasm instance`);
  return c.text('Hello from Hono on Virga\n');
});

app.get('/env', (c) => c.json(process.env));

app.get('/json/:name', (c) => c.json({ hello: c.req.param('name') }));

app.post('/echo', async (c) => c.text(await c.req.text()));

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

app.get('/fail', () => {
  throw new Error('this route always fails');
});

export default app;
