// Stands in for the name service that a user's machine would have: names of the hosts of releases, `<release>.test`, are
// where the ingress of the cluster is. Programs that a test starts load it by --import.
import dns from 'node:dns';

const ingress = process.env.SWISSBRAIN_CLUSTER_INGRESS ?? '127.0.0.1:80';
const [address = '', port = '80'] = ingress.split(':');

/** The port of the ingress, which names of hosts are followed by where it is not 80. */
export const portSuffix = port === '80' ? '' : `:${port}`;

type Callback = (error: Error | null, ...answer: unknown[]) => void;
const lookup = dns.lookup as (...args: unknown[]) => void;

dns.lookup = ((hostname: string, ...rest: unknown[]) => {
  if (!hostname.endsWith('.test')) return lookup(hostname, ...rest);
  const options = rest[0] as { all?: boolean } | undefined;
  const callback = rest.at(-1) as Callback;
  const answer = { address, family: 4 };
  process.nextTick(() => (options?.all ? callback(null, [answer]) : callback(null, address, 4)));
}) as typeof dns.lookup;
