import Fastify from 'fastify';
import { routes } from '@/routes';

const server = Fastify({ bodyLimit: 4 * 1024 * 1024 });
server.register(routes);

const port: number = Number(process.env.PORT ?? 3000);
await server.listen({ host: '0.0.0.0', port });
