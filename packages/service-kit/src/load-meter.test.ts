import { expect, it } from 'vitest';
import { createLoadMeter } from './load-meter.ts';

function meterAt() {
  let now = 0;
  const meter = createLoadMeter({ now: () => new Date(0), monotonicMs: () => now });
  const run = (perSecond: number, ms: number) => {
    for (let passed = 0; passed < ms; passed += 1_000 / perSecond) {
      now += 1_000 / perSecond;
      meter.note(1);
    }
  };
  const wait = (ms: number) => {
    now += ms;
  };
  return { meter, run, wait };
}

it('is busy at hundreds a second and not at two hundred', () => {
  const { meter, run, wait } = meterAt();
  run(200, 2_000);
  expect(meter.isBusy()).toBe(false);
  run(1_000, 1_000);
  expect(meter.isBusy()).toBe(true);
  wait(150);
  expect(meter.isBusy()).toBe(true);
  wait(450);
  expect(meter.isBusy()).toBe(false);
});

it('takes what has gathered while nobody came to it for no stream', () => {
  const { meter, run, wait } = meterAt();
  run(200, 1_000);
  wait(250);
  meter.note(50);
  expect(meter.isBusy()).toBe(false);
});
