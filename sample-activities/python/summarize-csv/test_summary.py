"""Without wasm: `python3 -m unittest`."""

import unittest

from summary import MAX_CELL, NotATable, Table, lines


def summary(text: bytes, piece: int = 7) -> dict:
    pieces = (text[at:at + piece] for at in range(0, len(text), piece))
    table = Table(lines(pieces))
    for _ in table.read():
        pass
    return table.summary()


class Summaries(unittest.TestCase):
    def test_numbers_and_texts_are_told_apart(self):
        told = summary('name,n,odd\r\nä,1,\r\n"b, ""c""",2.5,x\r\nä,-1,\r\n'.encode())
        self.assertEqual(told["rows"], 3)
        name, n, odd = told["columns"]
        self.assertEqual(name, {
            "name": "name", "missing": 0, "distinct": 2, "type": "text",
            "top": [{"value": "ä", "count": 2}, {"value": 'b, "c"', "count": 1}],
        })
        self.assertEqual((n["type"], n["min"], n["max"]), ("number", -1, 2.5))
        self.assertAlmostEqual(n["mean"], 2.5 / 3)
        self.assertAlmostEqual(n["deviation"], 1.7559422, places=6)
        self.assertEqual((odd["type"], odd["missing"]), ("text", 2))

    def test_how_the_bytes_are_cut_changes_nothing(self):
        text = 'a,b\n1,"x\ny"\n2,ü\n3,'.encode()
        whole = summary(text, len(text))
        for piece in range(1, len(text)):
            self.assertEqual(summary(text, piece), whole)
        self.assertEqual(whole["rows"], 3)

    def test_not_a_number_is_a_text(self):
        self.assertEqual(summary(b"a\nnan\ninf\n")["columns"][0]["type"], "text")
        self.assertEqual(summary(b"a\n\"\"\n")["columns"][0]["type"], "empty")

    def test_what_is_no_table_is_refused_with_its_line(self):
        for text, problem in [
            (b"", "it is empty"),
            (b"a,b\n1\n", "line 2 has 1 cells, not 2"),
            (b"a\n\"x\n", "line 2"),
            (b"a\n\xff\n", "line 2"),
            (b"\xff\n", "line 1"),
            (b"a\n" + b"x" * (MAX_CELL + 1), "line 2"),
            (b"x" * (4 * MAX_CELL + 1), "more than"),
            (b"," * 1000 + b"\n", "1001 columns"),
        ]:
            with self.subTest(text[:9]), self.assertRaisesRegex(NotATable, problem):
                summary(text, 1 << 20)


if __name__ == "__main__":
    unittest.main()
