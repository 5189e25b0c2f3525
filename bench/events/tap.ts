/** Taps every event as `swissbrain tap --json` does with nobody reading. */
import { constants, setPriority } from 'node:os';
import { connect } from '@nats-io/transport-node';
import { headersToEnvelope } from '@swissbrain/service-kit/event-headers';
import { z } from 'zod';

setPriority(constants.priority.PRIORITY_LOW);
const { NATS_URL } = z.object({ NATS_URL: z.string() }).parse(process.env);
const nats = await connect({ servers: NATS_URL });
let seen = 0;
nats.subscribe('sb.>', {
  callback: (_error, message) => {
    if (JSON.stringify({ id: headersToEnvelope(message.headers).id, data: message.json() }) !== '') seen += 1;
  },
});
await nats.flush();
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
process.stdin.resume().once('end', async () => {
  await nats.close();
  process.stderr.write(seen === 0 ? 'the tap has seen nothing\n' : '');
});
