"""Words on pictures: a font that has Chinese, or one that says it has none."""

from herbdemo import fonts


def test_a_font_of_the_wanted_size_says_truly_whether_it_has_chinese():
    for bold in (False, True):
        small, has_han = fonts.font(12, bold=bold)
        large, _ = fonts.font(48, bold=bold)
        assert large.getlength("Lycii") > 3 * small.getlength("Lycii")
        if has_han:
            assert bytes(large.getmask("党")) != bytes(large.getmask("参"))
            assert large.getlength("党参") == 2 * large.getlength("党")


def test_without_a_chinese_font_the_default_one_stands_in(monkeypatch):
    monkeypatch.setattr(fonts, "_asked", lambda bold: ("", 0))
    monkeypatch.setattr(fonts, "_KNOWN", {False: (), True: ()})
    fonts.font.cache_clear()
    try:
        found, has_han = fonts.font(20)
        assert not has_han
        assert found.getlength("dang shen") > 40
    finally:
        fonts.font.cache_clear()
