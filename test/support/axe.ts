/** Faults of accessibility in a page, as axe-core finds them. */
import axe from 'axe-core';

/** Part of a page's script: `findings()` resolves to a line for each element that breaks a rule, with the rule and its selector. */
export const AXE = `${axe.source}
  const findings = async () => {
    const { violations } = await axe.run(document);
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' ')));
  };`;

/** Chromium's flag for the dark theme. */
export const DARK = '--blink-settings=preferredColorScheme=0';
