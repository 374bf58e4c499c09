/** Promises whose rejection is told elsewhere too: where nobody waits for them it is not an unhandled one. */
import { SyncError } from '@rejoin/core'

/** A promise that is settled from outside. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

/** A rejection that nobody waits for is no unhandled one: `status` tells of it too. */
export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}

/** The work's own promise; that the store fails `status` tells too, and that the replica is closed the app knows. */
export function toldElsewhere(work: () => Promise<void>): Promise<void> {
  const done = new Promise<void>((resolve, reject) => {
    work().then(resolve, (error: Error) => {
      if (isTold(error)) done.catch(() => {})
      reject(error)
    })
  })
  return done
}

function isTold(error: Error): boolean {
  return error instanceof SyncError && (error.code === 'REPLICA_CLOSED' || error.code.startsWith('STORE_'))
}
