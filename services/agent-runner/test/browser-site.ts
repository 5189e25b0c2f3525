import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A small web site that a browser is tried on. */
export interface Site {
  readonly port: number;
  /** Requests as `METHOD path body cookies`. */
  readonly seen: string[];
  close(): void;
}

const pages: Record<string, string> = {
  '/': `<title>Lakes</title><h1>Lakes</h1>
    <form action="/search" method="post"><label>Name <input name="q"></label>
      <label>Kind <select name="kind"><option value="1">Deep</option><option value="2">Shallow</option></select></label>
      <button>Search</button></form>
    <a href="/counter">Counter</a> <a href="/file" download="notes.txt">Notes</a>
    <button onclick="alert('Wet!')">Warn</button> <button onclick="window.open('/counter')">Window</button>`,
  '/search': '<title>Found</title><p>Two lakes</p>',
  '/counter': `<title>Counter</title><p id="n">0</p><button>More</button>
    <script>let n = 0; document.cookie = 'visited=yes; max-age=1000';
      document.querySelector('button').onclick = () => { n += 1; document.querySelector('#n').textContent = n; }</script>`,
};

/** Serves it to whoever reaches this address; `/slow` is never answered. */
export async function startSite(address: string): Promise<Site> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = request.method === 'POST' ? ` ${await text(request)}` : '';
      seen.push(`${request.method} ${request.url}${body} ${request.headers.cookie ?? ''}`.trim());
      const page = pages[request.url ?? ''];
      if (request.url === '/file') response.end('of the lake');
      else if (request.url === '/slow') return;
      else if (page) response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
      else response.writeHead(404, { 'content-type': 'text/html' }).end('<title>Nothing</title>');
    })();
  });
  await new Promise<void>((listening) => server.listen(0, address, listening));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
