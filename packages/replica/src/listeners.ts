/** Listeners of an app. One that throws is the app's fault: it is reported as uncaught and disturbs nobody here. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  get size(): number {
    return this.#listeners.size
  }

  add(listener: (value: T) => void): () => void {
    // A wrapper of its own for each subscription: the same function may be given twice.
    const own = (value: T): void => listener(value)
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }

  tell(value: T): void {
    const listeners = [...this.#listeners]
    for (const listener of listeners) {
      try {
        listener(value)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
