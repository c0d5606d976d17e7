"""What tests work with: projects, histories of folders, browsers and servers."""
