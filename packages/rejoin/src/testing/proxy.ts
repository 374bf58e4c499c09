/** A value with some of its members replaced; methods keep their `this`, so classes with private fields work too. */

export function withMembers<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get: (of, name) => {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name) as unknown
      const value: unknown = Reflect.get(of, name, of)
      return typeof value === 'function' ? (value.bind(of) as unknown) : value
    },
  })
}
