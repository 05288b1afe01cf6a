// Helpers for the elements of the page.

export const $ = (id) => document.getElementById(id);

/** Returns a new element with these properties and children. */
export function element(name, { text, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** Returns a name in which lines can break after dots. */
export const breakable = (name) => name.split(/(?<=\.)/).flatMap((part) => [part, element('wbr')]);

/** Returns a bar that is filled to this part, for the eye only. */
export function bar(part) {
  const made = element('i', { className: 'bar', ariaHidden: 'true' });
  made.style.setProperty('--part', `${Math.min(part, 1) * 100}%`);
  return made;
}

/** Returns a cell. Narrow screens show `label` in place of the heading of the column. */
export function tableCell({ className = '', label = '', content }) {
  const cell = element('td', { role: 'cell', className }, content);
  if (label) cell.dataset.label = label;
  return cell;
}

/** Returns a row whose first cell names it. Narrow screens show rows as cards, which remain rows. */
export function tableRow(name, cells) {
  return element('tr', { role: 'row' },
    element('th', { scope: 'row', role: 'rowheader' }, ...name),
    ...cells.map(tableCell));
}

/** Returns a button that is as large as its row, so that a click anywhere in the row presses it. */
export function rowButton(name, onClick) {
  const button = element('button', { type: 'button', className: 'row-button' }, ...breakable(name));
  button.addEventListener('click', onClick);
  return button;
}
