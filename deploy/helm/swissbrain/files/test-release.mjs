// helm test: every service answers, and a playbook does its code in a sandbox from which nothing of the cluster can be
// reached. What the sandbox must not reach is tried from here too, so that a refusal there means something.
import { createHmac, randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const { SERVICES, STORES, WITH_SANDBOX, AUTH_JWT_SECRET, AUTH_ISSUER, AUTH_AUDIENCE, TEST_TOKEN } = process.env;
const { KUBERNETES_SERVICE_HOST: apiHost, KUBERNETES_SERVICE_PORT: apiPort } = process.env;
const services = JSON.parse(SERVICES);
const stores = JSON.parse(STORES);
const startedAt = Date.now();
const say = (line) => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
const fail = (line) => {
  throw new Error(line);
};

/** The token of a user that nobody is. */
function sign() {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: randomUUID(), role: 'authenticated', aud: AUTH_AUDIENCE || 'authenticated', iat: now, exp: now + 900 };
  if (AUTH_ISSUER) claims.iss = AUTH_ISSUER;
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', AUTH_JWT_SECRET).update(signed).digest('base64url')}`;
}

const token = TEST_TOKEN || sign();

async function call(method, path, body) {
  const response = await fetch(`${services['agent-runner']}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json', 'idempotency-key': randomUUID() } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (!response.ok) fail(`${method} ${path} answered ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

/** Whether something accepts connections there, in words. */
function reach({ host, port }) {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 3_000 });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end('reached'));
    socket.once('timeout', () => end('no answer'));
    socket.once('error', (error) => end(error.code ?? error.message));
  });
}

async function checkServices() {
  for (const [name, url] of Object.entries(services)) {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) fail(`${name} is not ready: ${await response.text()}`);
    await response.text();
    say(`${name} is ready`);
  }
}

async function targets() {
  const known = [
    { name: 'metadata', host: '169.254.169.254', port: 80, mayBeAbsent: true },
    { name: 'API server', host: apiHost, port: Number(apiPort) },
  ];
  for (const [name, address] of Object.entries(stores)) known.push({ name, ...address });
  for (const [name, url] of Object.entries(services)) known.push({ name, host: new URL(url).hostname, port: 80 });
  return Promise.all(known.map(async (one) => ({ ...one, host: (await lookup(one.host, 4)).address })));
}

const clusterNames = 'names of the cluster';
const sandboxCode = `
import { writeFileSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
${reach}
const answers = {};
await Promise.all(JSON.parse(process.argv[2]).map(async (target) => { answers[target.name] = await reach(target); }));
answers['${clusterNames}'] = await lookup('kubernetes.default.svc').then(() => 'reached', (error) => error.code);
writeFileSync(process.env.SWISSBRAIN_OUTPUT, JSON.stringify(answers));
`;

async function runInSandbox(tried) {
  const run = await call('POST', '/v1/runs', {
    playbook: {
      name: 'helm test',
      steps: [
        {
          id: 'look',
          tool: 'code',
          with: { language: 'javascript', timeout_seconds: 60, code: sandboxCode, args: [JSON.stringify(tried)] },
        },
      ],
    },
  });
  say(`run ${run.id} has begun`);
  const final = ['completed', 'failed', 'cancelled', 'timed_out'];
  let { status } = run;
  for (let round = 0; !final.includes(status); round += 1) {
    if (round > 240) fail(`the run is still ${status}`);
    await delay(1_000);
    ({ status } = await call('GET', `/v1/runs/${run.id}`));
  }
  const { items } = await call('GET', `/v1/runs/${run.id}/steps`);
  if (status !== 'completed') fail(`the run is ${status}: ${JSON.stringify(items)}`);
  say('the run is completed');
  return items[0].output.result;
}

async function checkWalls() {
  const tried = await targets();
  const fromHere = {};
  for (const target of tried) fromHere[target.name] = await reach(target);
  fromHere[clusterNames] = await lookup('kubernetes.default.svc').then(() => 'reached', (error) => error.code);
  const fromSandbox = await runInSandbox(tried);
  for (const [name, answer] of Object.entries(fromSandbox)) {
    const { mayBeAbsent = false } = tried.find((target) => target.name === name) ?? {};
    const here = fromHere[name];
    say(`${name}: from here ${here}, from the sandbox ${answer}`);
    if (answer === 'reached') fail(`a sandbox reaches ${name}`);
    if (here !== 'reached' && !mayBeAbsent) fail(`${name} cannot be reached from here either, so the sandbox proves nothing`);
  }
}

try {
  await checkServices();
  if (WITH_SANDBOX === 'true') await checkWalls();
  await call('DELETE', '/v1/me', { confirm: 'delete everything' });
  say('the release works');
} catch (error) {
  say(error.cause ? `${error.message}: ${error.cause.message}` : error.message);
  process.exitCode = 1;
}
