# Compiles what of the toolchain is Java, and builds a first program with it: that keeps the builder's classes in a
# form that starts faster, and shows that all of it works. Run in the toolchain's folder.
set -e
mkdir -p builder library first/classes
javac -nowarn -proc:none -cp 'jars/*' -d builder sources/builder/*.java
javac -nowarn -proc:none --limit-modules java.base -cp 'jars/*' -d library $(find sources/library -name '*.java' | sort)
java -cp 'builder:jars/*' Patch library
jar --create --file jars/builder.jar -C builder .
cat > first/First.java <<'JAVA'
public class First {
    public static void main(String[] words) {
        System.out.println("first " + words.length);
    }
}
JAVA
javac -g:source,lines -d first/classes first/First.java
java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit=builder.jsa -cp 'jars/*' Builder . first First - - first/classes
cp program.c first/c/program.c
root=$(pwd)
cd first/c
cp -r "$TOOLCHAIN_ZIG/cache" "$root/first/cache"
ZIG_GLOBAL_CACHE_DIR=$root/first/cache ZIG_LOCAL_CACHE_DIR=$root/first "$TOOLCHAIN_ZIG/packages/ziglang/zig" $(cat "$root/compile-arguments")
test -s core.wasm
cd "$root"
rm -rf first builder sources tmp/*
