// GraphQL Yoga with compiled queries.
import { createServer } from 'node:http';
import { useGraphQlJit } from '@envelop/graphql-jit';
import { createSchema, createYoga } from 'graphql-yoga';
import { context, resolvers, typeDefs } from './graph.mjs';

const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), context, plugins: [useGraphQlJit()], logging: 'error', graphiql: false });
createServer(yoga).listen(Number(process.env.PORT), '127.0.0.1');
