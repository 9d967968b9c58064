// graphql-http's audit of GraphQL over HTTP: every check must be ok.
import { serverAudits } from "graphql-http";

const url = process.argv[2];
let failed = 0;
const audits = serverAudits({ url, fetchFn: fetch });
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status !== "ok") {
    failed += 1;
    console.error(`${result.status} ${audit.id} ${audit.name}: ${result.reason ?? ""}`);
  }
}
console.log(`graphql-http audit: ${audits.length - failed} of ${audits.length} ok`);
process.exit(failed === 0 ? 0 : 1);
