/** Names that are known, and options objects: what is not known is refused, with the nearest name that is. */

/**
 * The options by their names, in an object of their own; those that are not given are left out.
 * @param where whose options they are, for messages
 * @throws Error if the options are no object, or if an option that is given (an inherited one, too) has no known name
 */
export function readOptions<Options extends object>(
  where: string,
  options: Options,
  names: readonly (keyof Options & string)[],
): Options {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new Error(
      `tfjs-convgrad: the options of ${where} are ${shown(options)}, but they must be an object with some of these: ${names.join(', ')}.`,
    );
  }
  const own: Partial<Options> = {};
  for (const name in options) {
    if (options[name] === undefined) continue;
    checkKnown(`the options of ${where} name`, name, names);
    own[name] = options[name];
  }
  return own as Options;
}

/**
 * @param what the beginning of the message: who names it
 * @throws Error if the name is none of `names`. It says which one is nearest.
 */
export function checkKnown(what: string, name: unknown, names: readonly string[]): void {
  if (names.includes(name as string)) return;
  throw new Error(
    `tfjs-convgrad: ${what} ${shown(name)}, but only these are supported: ${names.join(', ')}.${didYouMean(name, names)}`,
  );
}

/** The end of a message about a name that is not known; '' if no known name is near. */
export function didYouMean(name: unknown, names: readonly string[]): string {
  const nearest = typeof name === 'string' && nearestOf(name, names);
  return nearest ? ` Did you mean '${nearest}'?` : '';
}

/** A value as a message shows it, on one line. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(shown)}]`;
  if (typeof value === 'function') return 'a function';
  return value !== null && typeof value === 'object' ? 'an object' : String(value);
}

/** The known name that shares the most pairs of letters with the given one, if they share at least half of the shorter name's. */
export function nearestOf(name: string, names: readonly string[]): string | undefined {
  if (name === '' || names.length === 0) return undefined;
  const from = name.toLowerCase();
  const likeness = (known: string) => {
    const shared = [...from].filter((_, i) => known.toLowerCase().includes(from.slice(i, i + 2)));
    return shared.length / Math.min(from.length, known.length);
  };
  const nearest = names.reduce((best, known) => (likeness(known) > likeness(best) ? known : best));
  return likeness(nearest) >= 0.5 ? nearest : undefined;
}
