// Apollo Server.
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { context, resolvers, typeDefs } from './graph.mjs';

const server = new ApolloServer({ typeDefs, resolvers, csrfPrevention: false });
await startStandaloneServer(server, { context: async () => context(), listen: { port: Number(process.env.PORT), host: '127.0.0.1' } });
