/** Values that no JSON text can say, or that only code of the same process can make. */

/** Levels of arrays around a value. */
export function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

/** Small in memory, beyond all bounds when written out. */
export function shared(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value, value, value, value]
  return value
}

export const throwing = withGetter({}, 'x')
export const trapped = new Proxy(
  { x: 1 },
  { ownKeys: () => fail(), getPrototypeOf: () => fail(), get: () => fail() },
)

export function withGetter(object: object, name: string): object {
  return Object.defineProperty(object, name, { enumerable: true, get: fail })
}

function fail(): never {
  throw new Error('not to be read')
}
