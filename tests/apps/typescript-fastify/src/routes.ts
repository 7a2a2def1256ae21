import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

let counted = 0;

async function* pieces(): AsyncGenerator<string> {
  for (let piece = 1; piece <= 3; piece++) {
    yield `piece ${piece}\n`;
    await setTimeout(20);
  }
}

export async function routes(server: FastifyInstance): Promise<void> {
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  server.get('/', async (request) => {
    console.log(`hello to ${request.ip}`);
    return 'Hello from Fastify on Virga\n';
  });

  server.get<{ Params: { name: string } }>('/env/:name', async (request, reply) => {
    const value = process.env[request.params.name];
    return value === undefined ? reply.code(404).send('not set\n') : value;
  });

  server.post<{ Body: Buffer }>('/echo', async (request, reply) =>
    reply.type(request.headers['content-type'] ?? 'application/octet-stream').send(request.body),
  );

  server.get('/stream', async (_request, reply) => reply.type('text/plain').send(Readable.from(pieces())));

  server.get('/random', async () => randomBytes(16).toString('hex'));

  server.get('/count', async () => String(++counted));
}
