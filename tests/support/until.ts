/** Waiting for what other processes and sockets bring about, with a bound. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Looks every few milliseconds; `what` names in the error what never came. */
export async function until(what: string, holds: () => boolean, msMax = 60_000): Promise<void> {
  const looksMax = msMax / 5
  for (let look = 0; !holds(); look++) {
    if (look >= looksMax) throw new Error(`waited ${msMax} ms in vain: ${what}`)
    await sleep(5)
  }
}

/** The same for one promise. */
export async function within<T>(what: string, promise: Promise<T>, msMax = 60_000): Promise<T> {
  const bound = new AbortController()
  const late = sleep(msMax, undefined, { signal: bound.signal }).then(() => {
    throw new Error(`waited ${msMax} ms in vain: ${what}`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    bound.abort()
    late.catch(() => {})
  }
}
