// Preloaded into a process of the service (`node --import`): its wall clock, that of its libraries included, is off by
// TEST_CLOCK_OFFSET_MS from that of the database and everybody else.
import process from 'node:process';

const RealDate = Date;
const offset = Number(process.env.TEST_CLOCK_OFFSET_MS);
if (!Number.isSafeInteger(offset)) throw new Error('TEST_CLOCK_OFFSET_MS is no number');
const shifted = () => RealDate.now() + offset;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given: unknown[], newTarget) =>
    Reflect.construct(target, given.length === 0 ? [shifted()] : given, newTarget) as Date,
  apply: (target) => new target(shifted()).toString(),
  get: (target, name, receiver) =>
    name === 'now' ? shifted : (Reflect.get(target, name, receiver) as unknown),
});
