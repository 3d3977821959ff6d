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
      `tfjs-convgrad: the options of ${where} are ${quoted(options)}, but they must be an object, as in { ${names[0]}: ... }. It may have ${listed(names)}.`,
    );
  }
  for (const name in options)
    if (options[name] !== undefined) checkKnown(`the options of ${where} name`, name, names);
  const own: Partial<Options> = {};
  for (const name of names) if (options[name] !== undefined) own[name] = options[name];
  return own as Options;
}

/**
 * @param what the beginning of the message: who names it
 * @throws Error if the name is none of `names`. It says which one is nearest.
 */
export function checkKnown(what: string, name: unknown, names: readonly string[]): void {
  if (names.includes(name as string)) return;
  const nearest = typeof name === 'string' ? nearestOf(name, names) : undefined;
  const hint = nearest === undefined ? '' : ` Did you mean '${nearest}'?`;
  throw new Error(
    `tfjs-convgrad: ${what} ${quoted(name)}, but only these are supported: ${listed(names)}.${hint}`,
  );
}

function quoted(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : shown(value);
}

function listed(names: readonly string[]): string {
  return names.join(', ');
}

/** A value as a message shows it, on one line. */
export function shown(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  const { constructor } = value;
  return typeof constructor === 'function' && constructor !== Object ? `a ${constructor.name}` : 'an object';
}

/** The known name that is most like the given one, if any is alike: one starts with the other, or few letters differ. */
function nearestOf(name: string, names: readonly string[]): string | undefined {
  const given = name.toLowerCase();
  let [nearest, least] = [undefined as string | undefined, Infinity];
  for (const known of names) {
    const other = known.toLowerCase();
    const isPart =
      other.length > 1 && given.length > 1 && (given.startsWith(other) || other.startsWith(given));
    const distance = isPart ? 0.25 : edits(given, other) / Math.max(given.length, other.length);
    if ((isPart || distance <= 0.5) && distance < least) [nearest, least] = [known, distance];
  }
  return nearest;
}

/** How many letters must be inserted, removed or replaced to make one word of the other. Source: Levenshtein, 1966. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[to.length];
}
