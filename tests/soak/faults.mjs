// A proxy before the simulated APIs that does to their answers what networks, proxies and consoles do.
import http from "node:http";
import { gzipSync } from "node:zlib";

/** Changes the JSON of a list; answers that are no lists stay. */
const ofRows = (change) => (reply, request) => {
  let json;
  try {
    json = JSON.parse(reply.body);
  } catch {
    return reply;
  }
  if (!Array.isArray(json?.data) || json.data.length < 2) return reply;
  change(json, request);
  return { ...reply, body: Buffer.from(JSON.stringify(json)) };
};
const status = (code, headers = {}, body = '{"errors":[{"message":"x","type":"logical","code":1}]}') => () => ({
  status: code, headers: { "content-type": "application/json", ...headers }, body: Buffer.from(body),
});
const wire = (how) => (reply) => ({ ...reply, how });

let turn = 0;
const firstRows = new Map();

/** By name: what becomes of a reply. Each is an error, or makes the list incomplete, or changes nothing that is seen. */
export const faults = {
  "status 500": status(500),
  "status 502": status(502),
  "status 503 with a wait": status(503, { "retry-after": "1" }),
  "status 429 with a wait": status(429, { "retry-after": "1" }),
  "status 429 with an endless wait": status(429, { "retry-after": "18446744073709551615" }),
  "status 401": status(401),
  "status 403": status(403),
  "status 404": status(404),
  "status 520": status(520),
  "a redirect": status(302, { location: "http://127.0.0.1:9/" }),
  "the web page": () => ({ status: 200, headers: { "content-type": "text/html" }, body: Buffer.from("<!DOCTYPE html><html></html>") }),
  "an empty body": (reply) => ({ ...reply, body: Buffer.alloc(0) }),
  "a body cut in the middle": wire("cut"),
  "a chunked body cut in the middle": wire("cut chunked"),
  "a reset before the answer": wire("reset"),
  "no answer": wire("hang"),
  "an answer in drops": wire("drip"),
  "JSON that ends early": (reply) => ({ ...reply, body: reply.body.subarray(0, reply.body.length >> 1) }),
  "gzip that is none": (reply) => ({ ...reply, headers: { ...reply.headers, "content-encoding": "gzip" } }),
  "gzip that breaks off": (reply) => {
    const packed = gzipSync(reply.body);
    return { ...reply, headers: { ...reply.headers, "content-encoding": "gzip" }, body: packed.subarray(0, packed.length - 9) };
  },
  "a byte-order mark": (reply) => ({ ...reply, body: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), reply.body]) }),
  "a page without its last row": ofRows((json) => json.data.pop()),
  // of an earlier page, and in another place each time: what stands twice in the same places in every reading is the server's own
  "a row in the place of another": ofRows((json, request) => {
    const [path, offset] = [request.url.split("?")[0], new URL(request.url, "http://x").searchParams.get("offset")];
    if (offset === "0") firstRows.set(path, json.data[0]);
    else if (firstRows.has(path)) json.data[turn++ % json.data.length] = firstRows.get(path);
  }),
  "a total that is too large": ofRows((json) => json.meta?.pagingInfo && (json.meta.pagingInfo.total += 3)),
  "a total without end": ofRows((json) => json.meta?.pagingInfo && (json.meta.pagingInfo.total = 2 ** 53)),
  "a row without its id": ofRows((json) => (json.data[0].instanceUid = { not: "an id" })),
  "no paging and a row less": ofRows((json) => (json.data.pop(), delete json.meta)),
  "errors in place of data": ofRows((json) => ((json.data = null), (json.errors = [{ message: "x", type: "security", code: 1100 }]))),
};

/** A server before `origin`; `fault` decides what becomes of an answer to a GET of data. */
export const proxy = async (origin) => {
  const target = new URL(origin);
  const state = { fault: undefined, requests: 0, open: new Set() };
  const server = http.createServer((request, response) => {
    state.requests += 1;
    const forward = http.request(
      // an administrator's small pages: every list has several
      { host: target.hostname, port: target.port, method: request.method, path: request.url.replace("limit=500", "limit=7"),
        headers: { ...request.headers, host: target.host, "accept-encoding": "identity" } },
      (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("error", () => response.destroy());
        answer.on("end", () => send(request, response, { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      },
    );
    forward.on("error", () => response.destroy());
    request.on("error", () => forward.destroy());
    request.pipe(forward);
  });
  const send = (request, response, whole) => {
    const hurts = state.fault && request.method === "GET" && whole.status === 200;
    const reply = hurts ? state.fault(whole, request) : whole;
    const headers = { ...reply.headers };
    for (const name of ["content-length", "transfer-encoding", "connection"]) delete headers[name];
    if (reply.how === "reset") return response.destroy();
    if (reply.how === "hang") return undefined;
    if (reply.how !== "cut chunked") headers["content-length"] = reply.body.length;
    response.writeHead(reply.status, headers);
    if (reply.how === "drip") {
      let sent = 0;
      const drop = setInterval(() => {
        if (sent >= reply.body.length || response.destroyed) return clearInterval(drop), response.end();
        response.write(reply.body.subarray(sent, (sent += 64)));
      }, 50);
      return undefined;
    }
    if (!reply.how) return response.end(reply.body);
    return response.write(reply.body.subarray(0, reply.body.length >> 1), () => response.destroy());
  };
  server.on("connection", (socket) => {
    state.open.add(socket);
    socket.on("close", () => state.open.delete(socket));
  });
  const listen = (port) => new Promise((done, fail) => server.once("error", fail).listen(port, "127.0.0.1", done));
  await listen(0);
  const { port } = server.address();
  return {
    state,
    origin: `http://127.0.0.1:${port}`,
    /** Refuses connections until `up`. */
    down: () => new Promise((done) => (server.close(done), state.open.forEach((socket) => socket.destroy()))),
    up: () => listen(port),
    end: () => (server.close(), state.open.forEach((socket) => socket.destroy())),
  };
};
