// What both bots have in common: a server on a free port, and sessions in a store
// that is reached over the network, as it is where a bot runs in several processes.
import { createServer } from "node:http";

const sessions = process.env.STORE_URL;

export async function read(key) {
  const answer = await fetch(`${sessions}/${encodeURIComponent(key)}`);
  return answer.status === 200 ? answer.json() : undefined;
}

export async function write(key, value) {
  await fetch(`${sessions}/${encodeURIComponent(key)}`, { method: "PUT", body: JSON.stringify(value) });
}

export async function remove(key) {
  await fetch(`${sessions}/${encodeURIComponent(key)}`, { method: "DELETE" });
}

export function listen(handle) {
  const server = createServer((request, response) => {
    Promise.resolve(handle(request, response)).catch((error) => {
      console.error(error);
      if (!response.headersSent) response.statusCode = 500;
      response.end();
    });
  });
  server.keepAliveTimeout = 30_000;
  server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
}
