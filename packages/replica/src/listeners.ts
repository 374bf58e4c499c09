/** Listeners of an app. One that throws is the app's fault: it is reported as uncaught and disturbs nobody here. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  add(listener: (value: T) => void): () => void {
    // A wrapper of its own for each subscription: the same function may be given twice.
    const own = (value: T): void => listener(value)
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }

  /** Those that are added meanwhile hear the next value, those that are removed meanwhile do not hear this one. */
  tell(value: T): void {
    const listeners = [...this.#listeners]
    for (const listener of listeners) {
      if (this.#listeners.has(listener)) callApp(() => listener(value))
    }
  }
}

/** Runs code of the app where an error of it must not stop us. */
export function callApp(code: () => void): void {
  try {
    code()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
