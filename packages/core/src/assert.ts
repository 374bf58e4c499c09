/** An assertion for ourselves: what it states follows from our own code, so a failure is a bug in Rejoin. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`Rejoin broke its own invariant: ${invariant}`)
}

/** Closes an exhaustive switch: the compiler refuses a case that was forgotten. */
export function unreachable(value: never): never {
  throw new Error(`Rejoin met a case its types exclude: ${JSON.stringify(value)}`)
}
