// Hive Gateway over the same REST API (mesh.config.js), with compiled queries and answers of the console kept.
import { defineConfig, useHttpCache } from '@graphql-hive/gateway';

// the console says nothing of how long its answers are good
const anHour = {
  onFetch: () => ({ response, setResponse }) => {
    const headers = new Headers(response.headers);
    headers.set('cache-control', 'public, max-age=3600');
    setResponse(new Response(response.body, { status: response.status, headers }));
  },
};

export const gatewayConfig = defineConfig({
  supergraph: './supergraph.graphql',
  host: '127.0.0.1',
  port: Number(process.env.PORT),
  jit: true,
  cache: { type: 'localforage', driver: ['LOCALSTORAGE'] },
  plugins: (context) => [anHour, useHttpCache({ cache: context.cache })],
  logging: 'error',
});
