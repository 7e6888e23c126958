"""Mounts whose options are longer than fsconfig(2) takes as text."""
from oci import OciTest, main, only_covey


class LongOptions(OciTest):
    def overlay(self, lower, upper=None):
        def change(config):
            options = ["lowerdir=" + ":".join(str(one).replace(":", "\\:") for one in lower)]
            if upper:
                work = upper.parent / "work"
                work.mkdir()
                options += [f"upperdir={upper}", f"workdir={work}"]
            config["mounts"].append({"destination": "/tmp", "type": "overlay", "source": "overlay", "options": options})
        return change

    def layers(self, count, name="layer"):
        made = []
        for number in range(count):
            folder = self.folder / f"{name}{number}"
            folder.mkdir()
            (folder / f"file{number}").write_text(str(number), encoding="ascii")
            made.append(folder)
        return made

    def names(self, change):
        return self.output("probe", "ls", "/tmp", change=change).strip("[]\n").replace('"', "").split(",")

    def test_many_lower_folders(self):
        self.assertEqual(sorted(self.names(self.overlay(self.layers(20)))), sorted(f"file{n}" for n in range(20)))

    def test_a_name_with_a_colon(self):
        self.assertEqual(len(self.names(self.overlay(self.layers(12, "with:colon")))), 12)

    def test_paths_that_are_too_long_themselves(self):
        deep = self.folder / ("d" * 150) / ("e" * 150)
        upper = deep / "upper"
        upper.mkdir(parents=True)
        (deep / "lower").mkdir()
        (deep / "lower/of-lower").write_text("x", encoding="ascii")
        (upper / "of-upper").write_text("x", encoding="ascii")
        self.assertEqual(sorted(self.names(self.overlay([deep / "lower"], upper))), ["of-lower", "of-upper"])

    @only_covey("runc passes what the page holds")
    def test_what_the_kernel_cannot_take_is_named(self):
        def change(config):
            config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=" + "1" * 300]})
        one, bundle = self.bundle("probe", change=change)
        self.fails("mount option size", "create", "--bundle", bundle, one)


if __name__ == "__main__":
    main()
