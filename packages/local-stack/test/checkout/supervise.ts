// A supervisor in a process of its own, to be killed: prints the state of its stack as one line.
import { startStack } from '../../src/supervisor.ts';

const [root = '', dataDir = ''] = process.argv.slice(2);
const stack = await startStack({ root, dataDir, log: () => undefined, durable: false });
console.log(JSON.stringify(stack.state()));
