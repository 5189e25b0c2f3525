import { expect, it } from 'vitest';
import { dbmateUrl } from '../migrate.ts';

it.each([
  ['postgres://u:p%40ss@localhost:5432/d', 'postgres://u:p%40ss@localhost:5432/d?sslmode=disable'],
  ['postgresql://u@db.example/d', 'postgresql://u@db.example/d?sslmode=disable'],
  ['postgres://u@db.example/d?sslmode=no-verify', 'postgres://u@db.example/d?sslmode=require'],
  ['postgres://u@db.example/d?sslmode=prefer', 'postgres://u@db.example/d?sslmode=require'],
  ['postgres://u@db.example/d?sslmode=verify-full', 'postgres://u@db.example/d?sslmode=verify-full'],
  [
    'postgres://u@db.example/d?sslmode=require&uselibpqcompat=true',
    'postgres://u@db.example/d?sslmode=require',
  ],
])('%s is %s for dbmate', (url, expected) => {
  expect(dbmateUrl(url)).toBe(expected);
});
